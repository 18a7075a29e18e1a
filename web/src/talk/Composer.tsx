import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useSession } from "../app/context";
import { actionOf } from "../app/keys";
import { bytesOf, limits } from "../app/limits";
import type { MessageEntry } from "../sync/api";
import { loadEmojis, mayName } from "../text/emojis";
import { Button } from "../ui/Button";
import { IconButton } from "../ui/IconButton";
import {
  AttachIcon,
  CheckIcon,
  ClockIcon,
  EyeIcon,
  PlusIcon,
  PollIcon,
  SendIcon,
  SmileIcon,
} from "../ui/icons";
import { lazy } from "../ui/lazy";
import { Menu } from "../ui/Menu";
import { showError, showToast } from "../ui/toasts";
import { words } from "../words";
import "./Composer.css";
import { Bar, ReplyBar } from "./ComposerBar";
import { useConversation } from "./Conversation";
import { lastOwn, slowUntil, whyNot } from "./composing";
import { EmojiChoice } from "./EmojiChoice";
import { withNames } from "./emojiNames";
import { MessageText } from "./MessageText";
import { roomName } from "./names";
import { useSecondsUntil } from "./PendingRow";
import { excerpt } from "./Quote";
import { typeInto } from "./typing";
import { Upload } from "./Upload";
import { UploadLine } from "./UploadLine";
import { useCompletion } from "./useCompletion";

const text = words.talk.composer;
const PollDialog = lazy(() => import("./PollDialog").then((module) => module.PollDialog), { over: true });
const ScheduleDialog = lazy(() => import("./ScheduleDialog").then((module) => module.ScheduleDialog), {
  over: true,
});
/** From how many bytes left on it is said how many there are. */
const WARN = 2000;

/** Where people write. Enter sends, except on touch screens, whose keyboards have no other key for a new line. */
export function Composer() {
  const { room } = useConversation();
  const why = whyNot(room.value);
  if (why) return <p class="composer composer--closed">{why}</p>;
  return <Writing />;
}

function Writing() {
  const chat = useChat();
  const { calls, userId } = useSession();
  const conversation = useConversation();
  const { roomId, threadRoot, timeline, me, room, replyTo, editing, focusComposer } = conversation;
  const [value, setValue] = useState("");
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const [preview, setPreview] = useState(false);
  const [open, setOpen] = useState<"emoji" | "poll" | "schedule">();
  /** What is to be sent later. */
  const [later, setLater] = useState("");
  const [dropping, setDropping] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const root = useRef<HTMLDivElement>(null);
  /** What waits for the names of emoji to be loaded. What comes after it is sent after it. */
  const before = useRef<Promise<void>>();
  /** What was being written when an edit began. */
  const aside = useRef("");
  const edited = editing.value;
  const wait = useSecondsUntil(slowUntil(room.value, timeline.entries.value, me));
  const name = roomName(room.value);

  const write = (next: string) => {
    setValue(next);
    if (editing.peek()) return;
    void chat.saveDraft(roomId, next, threadRoot).catch(() => undefined);
    if (next.trim()) chat.typing(roomId, threadRoot);
    else chat.stopTyping(roomId);
  };

  useEffect(() => {
    let wanted = true;
    void chat.draft(roomId, threadRoot).then((draft) => {
      if (wanted && draft) setValue((now) => now || draft);
    });
    return () => {
      wanted = false;
      chat.stopTyping(roomId);
    };
  }, [roomId, threadRoot]);

  useEffect(() => {
    // A touch keyboard that opens by itself covers what people came to read.
    if (!matchMedia("(pointer: coarse)").matches) area.current?.focus();
    let first = true;
    return focusComposer.subscribe(() => {
      if (!first) requestAnimationFrame(() => area.current?.focus());
      first = false;
    });
  }, [conversation]);

  useEffect(() => {
    if (!edited) return;
    aside.current = value;
    setValue(edited.text);
    setPreview(false);
    requestAnimationFrame(() => area.current?.setSelectionRange(edited.text.length, edited.text.length));
    return () => setValue(aside.current);
  }, [edited]);

  useLayoutEffect(() => {
    const element = area.current;
    if (!element) return;
    element.style.blockSize = "auto";
    element.style.blockSize = `${element.scrollHeight + 2}px`;
  }, [value, preview]);

  const attach = (files: Iterable<File>) => {
    if (editing.peek()) return;
    const added = [...files].map((file) => new Upload(calls.files, file));
    const most = limits.value.files;
    const fitting = added.slice(0, Math.max(0, most - uploads.length));
    if (fitting.length < added.length) showToast(text.tooManyFiles(most), { tone: "danger" });
    for (const upload of fitting) void upload.send();
    setUploads([...uploads, ...fitting]);
    area.current?.focus();
  };
  const attachNow = useRef(attach);
  attachNow.current = attach;

  useEffect(() => {
    const whole = root.current?.closest<HTMLElement>(".conversation");
    if (!whole) return;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setDropping(true);
    };
    const leave = (event: DragEvent) => {
      if (!(event.relatedTarget instanceof Node && whole.contains(event.relatedTarget))) setDropping(false);
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setDropping(false);
      attachNow.current(event.dataTransfer?.files ?? []);
    };
    whole.addEventListener("dragover", over);
    whole.addEventListener("dragleave", leave);
    whole.addEventListener("drop", drop);
    return () => {
      whole.removeEventListener("dragover", over);
      whole.removeEventListener("dragleave", leave);
      whole.removeEventListener("drop", drop);
    };
  }, [conversation]);

  const shown = preview ? withNames(value, userId) : value;
  const [, setLoaded] = useState(false);
  const names = mayName(value);
  useEffect(() => {
    if (names)
      void loadEmojis().then(
        () => setLoaded(true),
        () => undefined,
      );
  }, [names]);

  const most = limits.value.textBytes;
  const left = most - bytesOf(value);
  const fileIds = () =>
    uploads.flatMap(({ state: { value: now } }) => (now.state === "done" ? [now.fileId] : []));
  const ready = () => {
    if (left < 0 || wait > 0) return false;
    if (uploads.some((upload) => upload.state.value.state !== "done")) {
      showToast(text.waitForUploads);
      return false;
    }
    return value.trim() !== "" || uploads.length > 0;
  };
  const clear = () => {
    setValue("");
    setUploads([]);
    setPreview(false);
    replyTo.value = undefined;
    void chat.saveDraft(roomId, "", threadRoot).catch(() => undefined);
    chat.stopTyping(roomId);
  };
  const to = () => ({
    roomId,
    ...(threadRoot !== undefined && { threadRoot }),
    ...(replyTo.peek() && { replyTo: replyTo.peek()?.seq ?? 0 }),
  });

  const send = () => {
    if (edited) return void saveEdit(edited);
    if (!ready()) return;
    const files = fileIds();
    const said = value;
    const place = to();
    clear();
    conversation.toEnd.value++;
    const post = (sent: string) =>
      chat.send(place, { text: sent, ...(files.length > 0 && { files }) }).then(
        () => undefined,
        (error) => {
          showError(error);
          setValue((now) => now || said);
        },
      );
    const named = withNames(said, userId);
    if (typeof named === "string" && !before.current) void post(named);
    else {
      // Once nothing waits any longer, what is sent goes at once again.
      const waits = Promise.all([named, before.current]).then(([sent]) => {
        if (before.current === waits) before.current = undefined;
        return post(sent);
      });
      before.current = waits;
    }
    area.current?.focus();
  };

  const saveEdit = async (entry: MessageEntry) => {
    if (left < 0 || (!value.trim() && entry.files.length === 0)) return;
    try {
      const changed = await withNames(value, userId);
      if (changed !== entry.text) await chat.edit(roomId, entry.seq, changed);
      editing.value = undefined;
    } catch (error) {
      showError(error);
    }
  };

  const insert = (what: string) => {
    const element = area.current;
    if (element) typeInto(element, element.selectionStart, element.selectionEnd, what);
    else write(value + what);
  };

  const completion = useCompletion(conversation, area, value);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing || completion.byKey(event)) return;
    const action = actionOf(event, "composer");
    if (action === "send" && !matchMedia("(pointer: coarse)").matches) {
      event.preventDefault();
      send();
    } else if (action === "cancel" && (edited || replyTo.peek())) {
      event.preventDefault();
      editing.value = undefined;
      replyTo.value = undefined;
    } else if (action === "editLast" && value === "") {
      const last = lastOwn(timeline.entries.peek(), me, room.peek());
      if (!last) return;
      event.preventDefault();
      editing.value = last;
    }
  };

  return (
    <div class={dropping ? "composer composer--dropping" : "composer"} ref={root}>
      {edited && (
        <Bar label={text.editing} about={excerpt(edited)} onClose={() => (editing.value = undefined)} />
      )}
      {!edited && replyTo.value && (
        <ReplyBar entry={replyTo.value} onClose={() => (replyTo.value = undefined)} />
      )}
      {uploads.length > 0 && (
        <ul class="composer__files">
          {uploads.map((upload) => (
            <UploadLine
              key={upload.key}
              upload={upload}
              onRemove={() => {
                upload.cancel();
                setUploads(uploads.filter((other) => other !== upload));
              }}
            />
          ))}
        </ul>
      )}
      <div class="composer__box">
        {!edited && (
          <Menu
            label={text.moreActions}
            icon={<PlusIcon />}
            items={[
              { label: text.attach, icon: <AttachIcon />, onSelect: () => picker.current?.click() },
              { label: text.poll, icon: <PollIcon />, onSelect: () => setOpen("poll") },
              {
                label: preview ? text.previewOff : text.preview,
                icon: <EyeIcon />,
                disabled: !value.trim(),
                onSelect: () => setPreview(!preview),
              },
              {
                label: text.schedule,
                icon: <ClockIcon />,
                disabled: !value.trim() && uploads.length === 0,
                onSelect: async () => {
                  if (!ready()) return;
                  setLater(await withNames(value, userId));
                  setOpen("schedule");
                },
              },
            ]}
          />
        )}
        <input
          ref={picker}
          class="visually-hidden"
          type="file"
          multiple
          tabIndex={-1}
          aria-label={text.attach}
          onChange={(event) => {
            attach(event.currentTarget.files ?? []);
            event.currentTarget.value = "";
          }}
        />
        {preview ? (
          <div class="composer__preview">
            <MessageText text={typeof shown === "string" ? shown : value} />
            <Button size="small" variant="quiet" onClick={() => setPreview(false)}>
              {text.previewOff}
            </Button>
          </div>
        ) : (
          <textarea
            ref={area}
            class="composer__text"
            dir="auto"
            rows={1}
            value={value}
            aria-label={threadRoot === undefined ? text.label(name) : text.threadLabel}
            placeholder={threadRoot === undefined ? text.placeholder(name) : text.threadLabel}
            title={text.keys}
            onInput={(event) => write(event.currentTarget.value)}
            onKeyDown={onKeyDown}
            onSelect={completion.moved}
            onBlur={completion.close}
            {...completion.aria}
            onPaste={(event) => {
              const files = event.clipboardData?.files;
              if (!files || files.length === 0) return;
              event.preventDefault();
              attach(files);
            }}
          />
        )}
        <div class="composer__emoji">
          <IconButton
            label={text.emoji}
            icon={<SmileIcon />}
            aria-expanded={open === "emoji"}
            onClick={() => setOpen(open === "emoji" ? undefined : "emoji")}
          />
          {open === "emoji" && (
            <EmojiChoice
              onChoose={(emoji) => {
                setOpen(undefined);
                insert(emoji);
              }}
              onClose={() => setOpen(undefined)}
            />
          )}
        </div>
        <IconButton
          class="composer__send"
          label={edited ? text.saveEdit : text.send}
          icon={edited ? <CheckIcon /> : <SendIcon />}
          disabled={left < 0 || wait > 0 || (!value.trim() && uploads.length === 0)}
          onClick={send}
        />
      </div>
      <p class={left < 0 ? "composer__hint composer__hint--wrong" : "composer__hint"} role="status">
        {left < 0
          ? words.common.tooLong(-left, most)
          : left < WARN
            ? text.left(left)
            : wait > 0
              ? text.slow(wait)
              : ""}
      </p>
      {completion.list}
      {dropping && <p class="composer__drop">{text.drop}</p>}
      {open === "poll" && <PollDialog to={to()} onClose={() => setOpen(undefined)} />}
      {open === "schedule" && (
        <ScheduleDialog
          message={{ ...to(), text: later, fileIds: fileIds() }}
          onClose={() => setOpen(undefined)}
          onDone={clear}
        />
      )}
    </div>
  );
}
