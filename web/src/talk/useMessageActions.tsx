import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useCalls } from "../app/context";
import { type Action, actionOf } from "../app/keys";
import { messagePath, threadPath } from "../app/paths";
import type { MessageEntry } from "../sync/api";
import {
  BookmarkIcon,
  CheckIcon,
  CopyIcon,
  EditIcon,
  FlagIcon,
  InboxIcon,
  LinkIcon,
  PinIcon,
  ReplyIcon,
  ThreadIcon,
  TrashIcon,
} from "../ui/icons";
import { lazy } from "../ui/lazy";
import { navigate } from "../ui/location";
import type { MenuItem } from "../ui/Menu";
import { showError, showToast } from "../ui/toasts";
import { words } from "../words";
import { type Abilities, abilitiesOf } from "./abilities";
import { useConversation } from "./Conversation";

const text = words.talk.message;
const dialogs = () => import("./MessageDialogs");
const over = { over: true };
const RemoveDialog = lazy(() => dialogs().then((module) => module.RemoveDialog), over);
const ReportDialog = lazy(() => dialogs().then((module) => module.ReportDialog), over);
const EditsDialog = lazy(() => dialogs().then((module) => module.EditsDialog), over);
const DeliveryDialog = lazy(() => dialogs().then((module) => module.DeliveryDialog), over);

type Asked = "react" | "remove" | "report" | "edits" | "delivery" | undefined;

export interface MessageActions {
  readonly abilities: () => Abilities;
  /** Does what a key stands for; false where it stands for nothing. */
  readonly byKey: (event: KeyboardEvent) => boolean;
  readonly items: () => (MenuItem | "separator")[];
  readonly reply: () => void;
  readonly thread: () => void;
  readonly edit: () => void;
  readonly react: (emoji: string) => void;
  /** The emoji are offered. */
  readonly choosing: boolean;
  readonly choose: (open: boolean) => void;
  /** Something is open that belongs to the message. */
  readonly busy: boolean;
  readonly dialog: ComponentChildren;
}

/** What can be done with a message. */
export function useMessageActions(entry: MessageEntry): MessageActions {
  const chat = useChat();
  const calls = useCalls();
  const conversation = useConversation();
  const [asked, setAsked] = useState<Asked>();
  const { roomId, seq } = entry;
  const abilities = () => abilitiesOf(entry, conversation.room.peek(), conversation.me);
  const done = () => setAsked(undefined);

  const reply = () => {
    conversation.editing.value = undefined;
    conversation.replyTo.value = entry;
    conversation.focusComposer.value++;
  };
  const thread = () => navigate(threadPath(roomId, seq));
  const edit = () => {
    conversation.replyTo.value = undefined;
    conversation.editing.value = entry;
    conversation.focusComposer.value++;
  };
  const react = (emoji: string) => {
    done();
    const mine = entry.reactions.some((reaction) => reaction.emoji === emoji && reaction.mine);
    void chat.react(roomId, seq, emoji, !mine).catch(showError);
  };
  const copy = (what: string) => {
    void navigator.clipboard.writeText(what).then(() => showToast(text.copied), showError);
  };
  const pin = () => void chat.pin(roomId, seq, !entry.pinned).catch(showError);
  const save = () =>
    void calls.personal
      .saveMessage({ roomId, seq: BigInt(seq) })
      .then(() => showToast(text.saved), showError);

  const items = (): (MenuItem | "separator")[] => {
    const can = abilities();
    const found: (MenuItem | "separator" | false)[] = [
      can.reply && { label: text.reply, icon: <ReplyIcon />, onSelect: reply },
      can.thread && { label: text.thread, icon: <ThreadIcon />, onSelect: thread },
      can.edit && { label: text.edit, icon: <EditIcon />, onSelect: edit },
      "separator",
      entry.text !== "" && { label: text.copyText, icon: <CopyIcon />, onSelect: () => copy(entry.text) },
      {
        label: text.copyLink,
        icon: <LinkIcon />,
        onSelect: () => copy(new URL(messagePath(roomId, seq), location.href).href),
      },
      can.pin && { label: entry.pinned ? text.unpin : text.pin, icon: <PinIcon />, onSelect: pin },
      !entry.deleted && { label: text.save, icon: <BookmarkIcon />, onSelect: save },
      can.markUnread && {
        label: text.markUnread,
        icon: <InboxIcon />,
        onSelect: () => void chat.markUnread(roomId, seq).catch(showError),
      },
      can.showEdits && { label: text.showEdits, icon: <EditIcon />, onSelect: () => setAsked("edits") },
      !entry.deleted && { label: text.delivery, icon: <CheckIcon />, onSelect: () => setAsked("delivery") },
      "separator",
      can.report && { label: text.report, icon: <FlagIcon />, onSelect: () => setAsked("report") },
      can.remove && {
        label: text.remove,
        icon: <TrashIcon />,
        danger: true,
        onSelect: () => setAsked("remove"),
      },
    ];
    const offered = found.filter((item) => item !== false);
    return offered.filter(
      (item, index) =>
        item !== "separator" || (index > 0 && index < offered.length - 1 && offered[index - 1] !== item),
    );
  };

  const byKey = (event: KeyboardEvent): boolean => {
    const can = abilities();
    const act: Partial<Record<Action<"messages">, readonly [boolean, () => void]>> = {
      edit: [can.edit, edit],
      reply: [can.reply, reply],
      thread: [can.thread, thread],
      react: [can.react, () => setAsked("react")],
      pin: [can.pin, pin],
      save: [!entry.deleted, save],
      remove: [can.remove, () => setAsked("remove")],
    };
    const action = actionOf(event, "messages");
    const [allowed, run] = (action && act[action]) ?? [false, done];
    if (allowed) run();
    return allowed;
  };

  return {
    abilities,
    byKey,
    items,
    reply,
    thread,
    edit,
    react,
    choosing: asked === "react",
    choose: (open) => setAsked(open ? "react" : undefined),
    busy: asked !== undefined,
    dialog: (
      <>
        {asked === "remove" && <RemoveDialog entry={entry} onClose={done} />}
        {asked === "report" && <ReportDialog entry={entry} onClose={done} />}
        {asked === "edits" && <EditsDialog entry={entry} onClose={done} />}
        {asked === "delivery" && <DeliveryDialog entry={entry} onClose={done} />}
      </>
    ),
  };
}
