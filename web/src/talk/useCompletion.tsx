import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useSession } from "../app/context";
import { actionOf } from "../app/keys";
import { roomPath } from "../app/paths";
import { type Begun, begunAt, type Choice, completed, fitting } from "../text/complete";
import type { EmojiTable } from "../text/EmojiTable";
import { loadEmojis } from "../text/emojis";
import { words } from "../words";
import "./Completion.css";
import type { Conversation } from "./Conversation";
import { emojiTone, recentEmojis, rememberEmoji } from "./emojiHabits";
import { roomName } from "./names";
import { typeInto } from "./typing";

interface Offer extends Choice {
  readonly key: string;
  readonly label: string;
  readonly about: string;
}

/** Most members that are looked through, and most emoji that are shown. */
const MEMBERS = 500;
const EMOJIS = 8;

interface Completion {
  /** Takes the keys that are for the suggestions; false for all others. */
  readonly byKey: (event: KeyboardEvent) => boolean;
  readonly moved: () => void;
  readonly close: () => void;
  readonly aria: Readonly<Record<`aria-${string}`, string>>;
  readonly list: ComponentChildren;
}

/** Suggests people after an `@`, rooms after a `#`, and emoji after a `:`. */
export function useCompletion(
  { room, me }: Conversation,
  area: RefObject<HTMLTextAreaElement>,
  value: string,
): Completion {
  const chat = useChat();
  const { calls, userId: user } = useSession();
  const [begun, setBegun] = useState<Begun>();
  const [at, setAt] = useState(0);
  const [members, setMembers] = useState<readonly string[]>();
  const [emojis, setEmojis] = useState<EmojiTable>();
  /** Where suggestions were turned down, until something else is begun. */
  const refused = useRef(-1);
  const id = useId();
  const { roomId, role } = room.value;

  const close = () => setBegun(undefined);
  const moved = () => {
    const element = area.current;
    if (!element || element.selectionStart !== element.selectionEnd) return close();
    const found = begunAt(element.value, element.selectionStart);
    if (!found) refused.current = -1;
    setBegun(found && found.from !== refused.current ? found : undefined);
  };
  // Before the next key, which may be about what is begun by then.
  useLayoutEffect(moved, [value]);
  useLayoutEffect(() => setAt(0), [begun?.query, begun?.kind]);

  const asks = begun?.kind === "person";
  useEffect(() => {
    if (!asks || members) return;
    calls.rooms.listMembers({ roomId, pageSize: MEMBERS }).then(
      (page) => setMembers(page.members.flatMap(({ user }) => (user ? [user.userId] : []))),
      // There is nothing to suggest, and nothing that would help to say.
      () => undefined,
    );
  }, [asks, roomId]);

  const asksEmoji = begun?.kind === "emoji";
  useEffect(() => {
    // Without them there is nothing to suggest.
    if (asksEmoji && !emojis) loadEmojis().then(setEmojis, () => undefined);
  }, [asksEmoji]);

  const offers: readonly Offer[] = !begun
    ? []
    : begun.kind === "emoji"
      ? emoji(begun.query)
      : fitting(begun.kind === "person" ? people() : rooms(), begun.query);

  function emoji(query: string): Offer[] {
    const tone = emojiTone(user);
    return (emojis?.search(query, { most: EMOJIS, liked: recentEmojis(user) }) ?? []).map((one) => {
      const spelled = emojis?.withTone(one, tone) ?? one.emoji;
      const name = one.names.find((other) => other.startsWith(query)) ?? one.names[0] ?? one.label;
      return { key: one.label, insert: spelled, words: [], label: `${spelled} :${name}:`, about: one.label };
    });
  }

  function people(): Offer[] {
    const found = (members ?? [])
      .filter((userId) => userId !== me)
      .map((userId) => {
        const name = chat.person(userId).value?.displayName ?? userId;
        return { key: userId, insert: `@${userId}`, words: [userId, name], label: name, about: `@${userId}` };
      });
    if (role !== "admin" && role !== "owner") return found;
    const everyone = words.talk.composer.everyone;
    return [...found, { key: "@", insert: "@room", words: ["room"], label: "@room", about: everyone }];
  }

  function rooms(): Offer[] {
    return chat.rooms.value
      .filter((one) => one.kind !== "direct")
      .map((one) => {
        const name = roomName(one);
        const insert = `[#${name.replaceAll(/[[\]\\]/g, "\\$&")}](${new URL(roomPath(one.roomId), location.href)})`;
        return { key: one.roomId, insert, words: [name], label: `#${name}`, about: one.topic };
      });
  }

  const take = (offer: Offer) => {
    if (!begun || !area.current) return;
    if (begun.kind === "emoji") rememberEmoji(user, offer.insert);
    close();
    const { text, cursor } = completed(value, begun, offer);
    typeInto(area.current, begun.from, begun.to, text);
    area.current.setSelectionRange(cursor, cursor);
  };

  const byKey = (event: KeyboardEvent): boolean => {
    const offer = offers[at];
    if (!offer) return false;
    const action = actionOf(event, "suggestions");
    if (action === "take") take(offer);
    else if (action === "next") setAt((at + 1) % offers.length);
    else if (action === "previous") setAt((at + offers.length - 1) % offers.length);
    else if (action === "refuse") {
      refused.current = begun?.from ?? -1;
      close();
    } else return false;
    event.preventDefault();
    return true;
  };

  const open = offers.length > 0;
  return {
    byKey,
    moved,
    close,
    aria: {
      "aria-autocomplete": "list",
      ...(open && { "aria-controls": id, "aria-activedescendant": `${id}-${at}` }),
    },
    list: open && (
      <div class="completion" role="listbox" id={id} aria-label={words.talk.composer.completions}>
        {offers.map((offer, index) => (
          <div
            key={offer.key}
            id={`${id}-${index}`}
            class="completion__offer"
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            // The field keeps the focus.
            onPointerDown={(event) => {
              event.preventDefault();
              take(offer);
            }}
          >
            <span class="truncate" dir="auto">
              {offer.label}
            </span>
            <span class="completion__about truncate" dir="auto">
              {offer.about}
            </span>
          </div>
        ))}
      </div>
    ),
  };
}
