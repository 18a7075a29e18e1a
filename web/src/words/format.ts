/** The language of the words, which is that of numbers and dates too. */
export const LANGUAGE = "en";

const plurals = new Intl.PluralRules(LANGUAGE);
const numbers = new Intl.NumberFormat(LANGUAGE);
const compact = new Intl.NumberFormat(LANGUAGE, { notation: "compact", maximumFractionDigits: 1 });
const lists = new Intl.ListFormat(LANGUAGE, { type: "conjunction" });
const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const days = new Intl.DateTimeFormat(LANGUAGE, { weekday: "long", day: "numeric", month: "long" });
const daysOfYears = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "long", year: "numeric" });
// Whether it is 14:30 or 2:30 pm is a habit of the reader's, and not of the language of the words.
const LOCAL = new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions().hour12 ?? false;
let times = timesWith(LOCAL);
let moments = momentsWith(LOCAL);

const DAY = 24 * 60 * 60 * 1000;

/** Write times with twelve hours or with 24; `undefined` is as the reader's system writes them. */
export function setTwelveHours(twelve: boolean | undefined): void {
  times = timesWith(twelve ?? LOCAL);
  moments = momentsWith(twelve ?? LOCAL);
}

function timesWith(twelve: boolean): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(LANGUAGE, { hour: "numeric", minute: "2-digit", ...hoursOf(twelve) });
}

function momentsWith(twelve: boolean): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short", ...hoursOf(twelve) });
}

// Not `hour12`, which makes midnight 24:00 in some languages.
function hoursOf(twelve: boolean): { hourCycle: "h12" | "h23" } {
  return { hourCycle: twelve ? "h12" : "h23" };
}

/** The form of a word that goes with a number; `#` in it stands for the number. */
export function plural(
  count: number,
  forms: { one: string; other: string } & Partial<Record<Intl.LDMLPluralRule, string>>,
): string {
  return (forms[plurals.select(count)] ?? forms.other).replace("#", numbers.format(count));
}

export const formatNumber = (value: number): string => numbers.format(value);

/** For narrow places: 12,345 is 12.3K. */
export const formatCompact = (value: number): string => compact.format(value);

/** Names with commas and an "and". */
export const formatList = (names: readonly string[]): string => lists.format(names);

/** 2:30 pm, or 14:30. */
export const formatTime = (time: number): string => times.format(time);

/** Day and time, for tooltips and for whatever is not of today. */
export const formatMoment = (time: number): string => moments.format(time);

/** Today, yesterday, a weekday with its date, or a date of another year. */
export function formatDay(time: number, now: number = Date.now()): string {
  const distance = Math.round((startOfDay(time) - startOfDay(now)) / DAY);
  if (distance === 0 || distance === -1) return capital(relative.format(distance, "day"));
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return (sameYear ? days : daysOfYears).format(time);
}

/** "5 minutes ago", "in 2 hours". */
export function formatRelative(time: number, now: number = Date.now()): string {
  const seconds = (time - now) / 1000;
  for (const [unit, size] of [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ] as const)
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  return relative.format(Math.round(seconds), "second");
}

/** Bytes as people write them, in powers of 1000. */
export function formatSize(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const unit = units[power] ?? "byte";
  return new Intl.NumberFormat(LANGUAGE, {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits: bytes < 10 * 1000 ** power ? 1 : 0,
  }).format(bytes / 1000 ** power);
}

function startOfDay(time: number): number {
  const day = new Date(time);
  return Date.UTC(day.getFullYear(), day.getMonth(), day.getDate());
}

function capital(text: string): string {
  return text.slice(0, 1).toLocaleUpperCase(LANGUAGE) + text.slice(1);
}
