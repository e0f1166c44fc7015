// The laboratory: one bundle for the page and for the worker that it starts of its own code.
import "./lab/lab.css";
import { open } from "./lab/page";
import { work } from "./lab/worker";

if (typeof document === "undefined") work();
else open();
