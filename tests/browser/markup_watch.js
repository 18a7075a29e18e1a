// It sees each element that a page ever has, however short. Elements come of a parser or of a call that names
// them: nothing may use a parser once the page is there, and what calls make has a list.
() => {
  const TAGS = new Set(("HTML HEAD META TITLE LINK SCRIPT STYLE BODY NOSCRIPT DIV SPAN P A B BDI EM STRONG S CODE PRE"
    + " KBD MARK TIME BR HR H1 H2 H3 H4 H5 H6 UL OL LI DL DT DD NAV MAIN ASIDE HEADER FOOTER SECTION ARTICLE FIGURE"
    + " FIGCAPTION BLOCKQUOTE TABLE THEAD TBODY TR TH TD FORM FIELDSET LEGEND LABEL INPUT TEXTAREA SELECT OPTGROUP"
    + " OPTION BUTTON DIALOG IMG SVG PATH CIRCLE RECT PROGRESS DETAILS SUMMARY OUTPUT SEARCH").split(" "));
  const NAMES = new RegExp("^(?:aria-[a-z]+|data-[a-z-]+|id|class|role|dir|lang|title|name|type|value|checked"
    + "|disabled|selected|multiple|required|placeholder|rows|cols|min|max|step|minlength|maxlength|for|tabindex"
    + "|hidden|open|autocomplete|autocapitalize|autocorrect|autofocus|spellcheck|enterkeyhint|inputmode|accept"
    + "|readonly|novalidate|width|height|alt|loading|decoding|draggable|datetime|start|colspan|scope|label|style"
    + "|target|rel|download|href|src|charset|content|media|crossorigin|integrity|nonce|list|pattern|method"
    + "|as|form|viewbox|fill|stroke|stroke-width|stroke-linecap|stroke-linejoin|d|cx|cy|r|x|y|rx|inert|popover)$");
  const seen = (window.__seen = { wrong: new Set(), elements: 0, names: undefined });
  const wrong = (why, what) => seen.wrong.add(`${why}: ${String(what).slice(0, 200)}`);
  const judge = (element) => {
    seen.elements++;
    if (!TAGS.has(element.tagName.toUpperCase())) wrong("an element", element.outerHTML);
    for (const { name, value } of element.attributes) {
      if (!NAMES.test(name.toLowerCase())) wrong(`the attribute ${name}`, element.outerHTML);
      if (name === "style" && /url\(|expression|@import|fixed/i.test(value)) wrong("a style", value);
      if (name !== "href" && name !== "src") continue;
      let url;
      try { url = new URL(value, location.href); } catch { wrong("an address", value); continue; }
      if (name === "src" && url.origin !== location.origin) wrong("a source", value);
      if (name === "href" && element.tagName !== "A" && url.origin !== location.origin) wrong("a link", value);
      if (element.tagName === "A" && url.origin !== location.origin) {
        if (!/^(?:https?|mailto):$/.test(url.protocol)) wrong("the scheme of a link", value);
        if (url.protocol !== "mailto:" && !/noopener/.test(element.rel)) wrong("a link that lets in", value);
      }
    }
  };
  const all = (node) => {
    if (node.nodeType !== 1) return;
    judge(node);
    for (const each of node.querySelectorAll("*")) judge(each);
  };
  new MutationObserver((records) => {
    for (const { type, target, addedNodes } of records)
      if (type === "attributes") judge(target);
      else for (const node of addedNodes) all(node);
  }).observe(document, { subtree: true, childList: true, attributes: true });
  document.addEventListener("securitypolicyviolation", (event) =>
    wrong("a refusal by the policy", `${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  const forbid = (owner, name) => {
    const found = Object.getOwnPropertyDescriptor(owner, name);
    if (!found) return;
    const told = (was) => function (...given) { wrong(`the parser, by ${name}`, given[0]); return was.apply(this, given); };
    Object.defineProperty(owner, name, found.set
      ? { ...found, set: told(found.set) } : { ...found, value: told(found.value) });
  };
  for (const name of ["innerHTML", "outerHTML", "insertAdjacentHTML", "setHTMLUnsafe", "setHTML"])
    forbid(Element.prototype, name);
  forbid(ShadowRoot.prototype, "innerHTML");
  forbid(HTMLIFrameElement.prototype, "srcdoc");
  forbid(Range.prototype, "createContextualFragment");
  forbid(DOMParser.prototype, "parseFromString");
  for (const name of ["write", "writeln"]) forbid(Document.prototype, name);
  seen.names = new Set(Object.getOwnPropertyNames(window));
}
