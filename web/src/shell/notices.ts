import { messagePath, threadPath } from "../app/paths";
import type { Chat, Notice } from "../sync/api";
import { navigate } from "../ui/location";
import { words } from "../words";
import { roomName } from "./roomName";

/** So much of a message is shown by the system. */
const MOST = 240;

/** Have the system show what the user wants to be notified of, if this page may and is not being looked at. */
export function followNotices(chat: Chat): () => void {
  return chat.onNotification((notice) => {
    if (!("Notification" in globalThis) || Notification.permission !== "granted") return;
    if (document.visibilityState === "visible" && document.hasFocus()) return;
    void show(chat, notice);
  });
}

async function show(chat: Chat, notice: Notice): Promise<void> {
  const { roomId, seq, userId, threadRoot } = notice;
  const sender = chat.person(userId).peek()?.displayName ?? userId;
  const room = chat.room(roomId).peek();
  const title = !room || room.peer ? sender : words.shell.notice(sender, roomName(room));
  const place = threadRoot === undefined ? messagePath(roomId, seq) : threadPath(roomId, threadRoot);
  // It brings the parser, which rooms need and this page may not have yet.
  const { plainText } = await import("../text/Markdown");
  // One for a room: the newest takes the place of those before.
  const options = {
    body: plainText(notice.text).slice(0, MOST),
    tag: roomId,
    icon: "/icon-192.png",
    data: place,
  };
  // On phones only a service worker may show any; it also lives on when the page is closed.
  const registration = await navigator.serviceWorker?.getRegistration();
  if (registration) return registration.showNotification(title, options);
  const shown = new Notification(title, options);
  shown.onclick = () => {
    focus();
    navigate(place);
    shown.close();
  };
}
