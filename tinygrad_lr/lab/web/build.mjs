// Bundles each src/NAME.ts into NAME.js and NAME.css, and writes THIRD_PARTY, the licences of what they hold.
//
//     node build.mjs [FOLDER]      FOLDER: tinygrad_lr/pages/bundles, where no other is named
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, "../../pages/bundles");
const entries = readdirSync(join(here, "src")).filter((name) => name.endsWith(".ts")).sort();

const licences = new Map();
for (const entry of entries) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: here,
    entryPoints: [`src/${entry}`],
    outdir: folder,
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none", // the line below names what is bundled
    metafile: true,
    write: false,
  });
  const packages = packagesOf(metafile);
  for (const each of packages) licences.set(each.name, each);
  const names = packages.map((each) => `${each.name} ${each.version} (${each.license})`).join(", ");
  for (const { path, text } of outputFiles) {
    writeFileSync(path, names ? `/*! With ${names}; licences: THIRD_PARTY */\n${text}` : text);
  }
}
const texts = [...licences.values()].sort((one, other) => (one.name < other.name ? -1 : 1)).map(licence);
writeFileSync(join(folder, "THIRD_PARTY"), `The bundles in this folder hold code of these packages.\n${texts.join("")}`);

/** The package.json of every package of which something is in a bundle, by name. */
function packagesOf(metafile) {
  const bundled = new Set();
  for (const output of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
      const found = /^node_modules\/((@[^/]+\/)?[^/]+)\//.exec(path);
      if (found && bytesInOutput > 0) bundled.add(found[1]);
    }
  }
  return [...bundled].sort().map((name) => JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8")));
}

/** A package's name, address and licence. */
function licence({ name, version, homepage, license }) {
  const text = readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim();
  const title = `${name} ${version}, ${license}, ${homepage}`;
  return `\n${"-".repeat(title.length)}\n${title}\n${"-".repeat(title.length)}\n\n${text}\n`;
}
