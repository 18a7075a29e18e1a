import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { setTwelveHours } from "../words";

/** How the page looks on this device. */
export interface Look {
  /** As the system says, light or dark whatever that says, or with more contrast. */
  readonly theme: (typeof THEMES)[number];
  readonly density: (typeof DENSITIES)[number];
  readonly size: (typeof SIZES)[number];
  /** Whether it is 14:30 or 2:30 pm; `local` is as the reader's system writes times. */
  readonly hours: (typeof HOURS)[number];
}

export const THEMES = ["system", "light", "dark", "contrast"] as const;
export const DENSITIES = ["comfortable", "compact"] as const;
export const SIZES = ["small", "normal", "large", "larger"] as const;
export const HOURS = ["local", "12", "24"] as const;

// public/look.js reads it, too, before anything is drawn.
const KEY = "grpc-chat.look";
const USUAL: Look = { theme: "system", density: "comfortable", size: "normal", hours: "local" };

const current = signal<Look>(stored());
export const look: ReadonlySignal<Look> = current;

export function chooseLook(change: Partial<Look>): void {
  current.value = { ...current.value, ...change };
  localStorage.setItem(KEY, JSON.stringify(current.value));
}

/** Have the page look as was chosen, here and in other tabs. Once for the page. */
export function followLook(): void {
  const more = matchMedia("(prefers-contrast: more)");
  const systemWantsMore = signal(more.matches);
  more.addEventListener("change", () => {
    systemWantsMore.value = more.matches;
  });
  addEventListener("storage", (event) => {
    if (event.key === KEY) current.value = stored();
  });
  effect(() => {
    const { theme, density, size, hours } = current.value;
    const contrast = theme === "contrast" || (theme === "system" && systemWantsMore.value);
    set("theme", theme === "light" || theme === "dark" ? theme : undefined);
    set("contrast", contrast ? "more" : undefined);
    set("density", density === USUAL.density ? undefined : density);
    set("size", size === USUAL.size ? undefined : size);
    setTwelveHours(hours === "local" ? undefined : hours === "12");
    colourBar();
  });
}

function set(name: string, value: string | undefined): void {
  const { dataset } = document.documentElement;
  if (value === undefined) delete dataset[name];
  else dataset[name] = value;
}

/** What the browser draws around the page has the colour of the page's own edge. */
function colourBar(): void {
  const { theme, contrast } = document.documentElement.dataset;
  let colour = "";
  if (theme || contrast) {
    // A colour of its own: what a custom property holds is text that depends on the theme.
    const probe = document.createElement("i");
    probe.style.color = "var(--side)";
    document.body.append(probe);
    colour = getComputedStyle(probe).color;
    probe.remove();
  }
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    meta.dataset.usual ??= meta.content;
    meta.content = colour || meta.dataset.usual;
  }
}

function stored(): Look {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    const given = typeof found === "object" && found !== null ? (found as Record<string, unknown>) : {};
    const one = <T extends string>(of: readonly T[], value: unknown, usual: T): T =>
      of.find((each) => each === value) ?? usual;
    return {
      theme: one(THEMES, given.theme, USUAL.theme),
      density: one(DENSITIES, given.density, USUAL.density),
      size: one(SIZES, given.size, USUAL.size),
      hours: one(HOURS, given.hours, USUAL.hours),
    };
  } catch {
    return USUAL;
  }
}
