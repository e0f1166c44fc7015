// What every section is given.
import type { PageData } from "./data";
import type { Engine } from "./engine";
import type { Store } from "./store";

export interface Lab {
  engine: Engine;
  data: PageData;
  store: Store;
}
