import type { ComponentType } from "preact";
import { lazy } from "../ui/lazy";
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
export const list: ComponentType | undefined = lazy(() =>
  import("../talk/RoomList").then((module) => module.RoomList),
);

const RoomView = lazy<ViewProps>(() => import("../talk/RoomView").then((module) => module.RoomView));
const ThreadPanel = lazy<ViewProps>(() => import("../talk/ThreadPanel").then((module) => module.ThreadPanel));
const Threads = lazy<ViewProps>(() => import("../talk/ThreadsView").then((module) => module.ThreadsView));
const Pins = lazy<ViewProps>(() => import("../talk/PinsPanel").then((module) => module.PinsPanel));
const Search = lazy<ViewProps>(() => import("../talk/SearchView").then((module) => module.SearchView));
const Mentions = lazy<ViewProps>(() => import("../talk/MentionsView").then((module) => module.MentionsView));
const Saved = lazy<ViewProps>(() => import("../talk/SavedView").then((module) => module.SavedView));
const Scheduled = lazy<ViewProps>(() =>
  import("../talk/ScheduledView").then((module) => module.ScheduledView),
);

const RoomBrowser = lazy<ViewProps>(() =>
  import("../manage/rooms/RoomBrowser").then((module) => module.RoomBrowser),
);
const NewRoom = lazy<ViewProps>(() => import("../manage/rooms/RoomBrowser").then((module) => module.NewRoom));
const RoomSettings = lazy(() =>
  import("../manage/rooms/RoomSettingsView").then((module) => module.RoomSettingsView),
);
const RoomMembers = lazy(() =>
  import("../manage/rooms/RoomSettingsView").then((module) => module.RoomMembersView),
);
const Settings = lazy(() => import("../manage/settings/SettingsView").then((module) => module.SettingsView));
const People = lazy(() => import("../manage/people/PeopleView").then((module) => module.PeopleView));
const Admin = lazy(() => import("../manage/admin/AdminView").then((module) => module.AdminView));

/** All pages, each with `lazy` views, so that only what is shown is loaded. */
export const routes: readonly Route[] = [
  { path: "/", title: words.shell.rooms },
  { path: "/rooms/:roomId", title: words.shell.conversation, main: RoomView },
  { path: "/rooms/:roomId/messages/:seq", title: words.shell.conversation, main: RoomView },
  { path: "/rooms/:roomId/threads", title: words.talk.thread.listTitle, main: RoomView, side: Threads },
  { path: "/rooms/:roomId/threads/:root", title: words.talk.thread.title, main: RoomView, side: ThreadPanel },
  { path: "/rooms/:roomId/pins", title: words.talk.lists.pins, main: RoomView, side: Pins },
  { path: "/rooms/:roomId/search", title: words.talk.room.search, main: RoomView, side: Search },
  { path: "/search", title: words.talk.search.title, main: Search },
  { path: "/threads", title: words.talk.thread.listTitle, main: Threads },
  { path: "/mentions", title: words.talk.lists.mentions, main: Mentions },
  { path: "/saved", title: words.talk.lists.saved, main: Saved },
  { path: "/scheduled", title: words.talk.lists.scheduled, main: Scheduled },
  { path: "/browse", title: words.shell.titles.browse, main: RoomBrowser },
  { path: "/new-room", title: words.shell.titles.newRoom, main: NewRoom },
  { path: "/rooms/:roomId/members", title: words.shell.titles.members, main: RoomMembers },
  { path: "/rooms/:roomId/settings", title: words.shell.titles.roomSettings, main: RoomSettings },
  { path: "/rooms/:roomId/settings/:section", title: words.shell.titles.roomSettings, main: RoomSettings },
  { path: "/people", title: words.shell.titles.people, main: People },
  { path: "/people/:userId", title: words.shell.titles.people, main: People },
  { path: "/settings", title: words.shell.titles.settings, main: Settings },
  { path: "/settings/:section", title: words.shell.titles.settings, main: Settings },
  { path: "/admin", title: words.shell.titles.admin, main: Admin },
  { path: "/admin/:section", title: words.shell.titles.admin, main: Admin },
  { path: "/admin/users/:userId", title: words.shell.titles.admin, main: Admin },
];
