import "./Avatar.css";

interface AvatarProps {
  readonly userId: string;
  readonly name: string;
  readonly size?: "small" | "normal" | "large";
  readonly presence?: "active" | "away" | "offline" | undefined;
}

const COLOURS = 8;

/** Who it is, by the first letters and a colour of their own. Their name must stand beside it. */
export function Avatar({ userId, name, size = "normal", presence }: AvatarProps) {
  return (
    <span class={`avatar avatar--${size} avatar--${colourOf(userId)}`} aria-hidden="true">
      {initials(name || userId)}
      {presence && presence !== "offline" && (
        <span class={`avatar__presence avatar__presence--${presence}`} />
      )}
    </span>
  );
}

/** The first letters of the first and the last word; of one word its first letter. */
export function initials(name: string): string {
  const parts = name.split(/[\s._-]+/u).filter((part) => /[\p{L}\p{N}]/u.test(part));
  const first = parts[0] ?? name;
  const last = parts.length > 1 ? (parts.at(-1) ?? "") : "";
  return (letter(first) + letter(last)).toLocaleUpperCase();
}

function letter(word: string): string {
  return [...word].find((character) => /[\p{L}\p{N}]/u.test(character)) ?? [...word][0] ?? "";
}

function colourOf(userId: string): number {
  let hash = 0;
  for (let index = 0; index < userId.length; index++) hash = (hash * 31 + userId.charCodeAt(index)) >>> 0;
  return hash % COLOURS;
}
