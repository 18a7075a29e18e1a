import { computed, signal } from "@preact/signals";

const current = signal(new URL(location.href));

/** Where the page is: its path, decoded by whoever takes it apart. */
export const path = computed(() => current.value.pathname);

/** What stands behind the `?` of the address. */
export const query = computed(() => current.value.searchParams);

/** How many pages of ours one can go back; kept with each page, so that it holds after a reload, too. */
function depth(): number {
  const state: unknown = history.state;
  return typeof state === "object" && state !== null && "depth" in state ? Number(state.depth) || 0 : 0;
}

addEventListener("popstate", () => {
  current.value = new URL(location.href);
});

/** Go to an address of this page's own. */
export function navigate(to: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  const url = new URL(to, location.href);
  if (url.origin !== location.origin) throw new Error(`${url.origin} is another site`);
  if (url.href === location.href) return;
  if (replace) history.replaceState({ depth: depth() }, "", url);
  else history.pushState({ depth: depth() + 1 }, "", url);
  current.value = url;
}

/** Back to where the reader was, or, where that was another site, to `otherwise`. */
export function back(otherwise: string): void {
  if (depth() > 0) history.back();
  else navigate(otherwise, { replace: true });
}

/** Let links to pages of ours go there without loading anything anew. Once for the page. */
export function followLinks(isOurs: (path: string) => boolean): void {
  addEventListener("click", (event) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    const url = new URL(link.href);
    // A place on this page is the browser's business.
    if (url.hash && url.pathname === location.pathname) return;
    if (!isOurs(url.pathname)) return;
    event.preventDefault();
    navigate(url.href);
  });
}
