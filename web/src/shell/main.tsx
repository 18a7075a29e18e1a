import { render } from "preact";
import { followLook } from "../app/look";
import "../ui/tokens.css";
import "../ui/base.css";
import { followLinks } from "../ui/location";
import { App } from "./App";
import { find } from "./router";
import { routes } from "./routes";
import { keepClient } from "./updates";

followLook();
followLinks((path) => find(routes, path) !== undefined);

const root = document.getElementById("app");
if (root) render(<App />, root);

// Not before the page itself has what it needs.
addEventListener("load", () => void keepClient());
