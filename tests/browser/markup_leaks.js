// What turns the direction of what follows it, in a text that shares its line with others: each has to stand in an
// element of its own that keeps it in.
() => {
  const leaks = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!/[\u202a-\u202e\u2066-\u2069]/.test(node.data)) continue;
    // What an isolate keeps in, which is closed again.
    if (!/[\u202a-\u202e\u2066-\u2069]/.test(node.data.replace(/\u2068[^\u202a-\u202e\u2066-\u2069]*\u2069/g, "")))
      continue;
    const parent = node.parentElement;
    // What a person says is all that person's, but for where links lead: an isolate ends with its paragraph.
    if (parent.closest(".markdown, .found-card__text") && !/[\u202a-\u202e]/.test(node.data)) continue;
    if (!parent.checkVisibility() || parent.closest("textarea, option, title")) continue;
    for (let element = parent; element; element = element.parentElement) {
      const { display, unicodeBidi } = getComputedStyle(element);
      // Blocks keep it in, too, but not from what else is in them.
      if (display === "inline" && /isolate/.test(unicodeBidi)) break;
      if (display === "inline") continue;
      if (element.textContent.trim() !== node.data.trim()) leaks.push(element.outerHTML.slice(0, 300));
      break;
    }
  }
  return leaks;
}
