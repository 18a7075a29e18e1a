/** Addresses of the client's pages. Ids may hold anything, so none is put into an address by hand. */
const part = encodeURIComponent;

export const homePath = "/";
export const roomPath = (roomId: string): string => `/rooms/${part(roomId)}`;
/** A room at a message. */
export const messagePath = (roomId: string, seq: number): string => `${roomPath(roomId)}/messages/${seq}`;
/** A room with a thread beside it. */
export const threadPath = (roomId: string, root: number): string => `${roomPath(roomId)}/threads/${root}`;
/** A room with something else beside it. */
export const roomPanelPath = (
  roomId: string,
  panel: "members" | "pins" | "files" | "search" | "settings",
): string => `${roomPath(roomId)}/${panel}`;
export const personPath = (userId: string): string => `/people/${part(userId)}`;
export const settingsPath = (section = ""): string => (section ? `/settings/${part(section)}` : "/settings");
export const adminPath = (section = ""): string => (section ? `/admin/${part(section)}` : "/admin");
