// How the page looks on this device, before anything is drawn: src/app/look.ts keeps it so from then on. A script of its
// own, because the server's policy allows none within the page, and modules run after the first drawing.
(() => {
  try {
    const root = document.documentElement.dataset;
    const look = JSON.parse(localStorage.getItem("grpc-chat.look")) ?? {};
    const { theme = "system", density, size } = look;
    if (theme === "light" || theme === "dark") root.theme = theme;
    const more = theme === "system" && matchMedia("(prefers-contrast: more)").matches;
    if (theme === "contrast" || more) root.contrast = "more";
    if (density === "compact") root.density = density;
    if (["small", "large", "larger"].includes(size)) root.size = size;
  } catch {
    // As usual, then.
  }
})();
