import type { ComponentType } from "preact";
import { words } from "../words";
import { lazy } from "./lazy";
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

const RoomBrowser = lazy<ViewProps>(() =>
  import("../manage/rooms/RoomBrowser").then((module) => module.RoomBrowser),
);
const NewRoom = lazy<ViewProps>(() => import("../manage/rooms/RoomBrowser").then((module) => module.NewRoom));
const RoomSettings = lazy(() =>
  import("../manage/rooms/RoomSettingsView").then((module) => module.RoomSettingsView),
);
const Settings = lazy(() => import("../manage/settings/SettingsView").then((module) => module.SettingsView));
const People = lazy(() => import("../manage/people/PeopleView").then((module) => module.PeopleView));

/** All pages, each with `lazy` views, so that only what is shown is loaded. */
export const routes: readonly Route[] = [
  { path: "/", title: words.shell.rooms },
  // Rooms and messages (talk)
  { path: "/browse", title: words.manage.rooms.browser.title, main: RoomBrowser },
  { path: "/new-room", title: words.manage.rooms.create.title, main: NewRoom },
  { path: "/rooms/:roomId/settings", title: words.manage.rooms.settings.title, main: RoomSettings },
  { path: "/rooms/:roomId/settings/:section", title: words.manage.rooms.settings.title, main: RoomSettings },
  { path: "/people", title: words.manage.people.title, main: People },
  { path: "/people/:userId", title: words.manage.people.title, main: People },
  { path: "/settings", title: words.manage.settings.title, main: Settings },
  { path: "/settings/:section", title: words.manage.settings.title, main: Settings },
];
