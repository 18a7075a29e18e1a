import type { ComponentType } from "preact";
import { words } from "../words";
import type { Params } from "./router";

/** What a view is given: what stood in the address. */
export interface ViewProps {
  readonly params: Params;
}

export interface Route {
  /** The address, with names for what differs: `/rooms/:roomId`. The server knows its first part too: web_pages.py. */
  readonly path: string;
  /** What the browser's tab and screen readers say. */
  readonly title: string;
  /** The large column; without one, an invitation to choose a room. */
  readonly main?: ComponentType<ViewProps>;
  /** The column at the end, which on a phone covers the others. */
  readonly side?: ComponentType<ViewProps>;
}

/** The column at the start: `lazy(() => import("../talk/RoomList").then((module) => module.RoomList))`. */
export const list: ComponentType | undefined = undefined;

/** All pages, each with `lazy` views, so that only what is shown is loaded. */
export const routes: readonly Route[] = [
  { path: "/", title: words.shell.rooms },
  // Rooms and messages (talk)
  // Settings, people and administration (manage)
];
