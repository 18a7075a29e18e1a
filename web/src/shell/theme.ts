import { effect, signal } from "@preact/signals";

/** How the page looks: as the system does, light or dark whatever that says, or with more contrast. */
export type Theme = "system" | "light" | "dark" | "contrast";

export const THEMES: readonly Theme[] = ["system", "light", "dark", "contrast"];

const KEY = "grpc-chat.theme";

function stored(): Theme {
  const found = localStorage.getItem(KEY);
  return THEMES.find((theme) => theme === found) ?? "system";
}

export const theme = signal<Theme>(stored());

export function chooseTheme(chosen: Theme): void {
  localStorage.setItem(KEY, chosen);
  theme.value = chosen;
}

/** Have the page look as was chosen, here and in other tabs. Once for the page. */
export function followTheme(): void {
  const more = matchMedia("(prefers-contrast: more)");
  const systemWantsMore = signal(more.matches);
  more.addEventListener("change", () => {
    systemWantsMore.value = more.matches;
  });
  addEventListener("storage", (event) => {
    if (event.key === KEY) theme.value = stored();
  });
  effect(() => {
    const root = document.documentElement.dataset;
    const chosen = theme.value;
    if (chosen === "light" || chosen === "dark") root.theme = chosen;
    else delete root.theme;
    if (chosen === "contrast" || (chosen === "system" && systemWantsMore.value)) root.contrast = "more";
    else delete root.contrast;
  });
}
