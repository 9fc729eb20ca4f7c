import { join } from "node:path";
import { backends } from "./backend.ts";
import { killTransacts } from "./kill-transacts.ts";

killTransacts({
  kind: "sqlite",
  url: "",
  placeIn: (folder) => join(folder, "app.db"),
  open: (place) => backends.sqlite("", place),
});
