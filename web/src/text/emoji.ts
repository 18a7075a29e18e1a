// The server's rule (core/emoji.py), by the characters of Unicode 17.
/** Characters that are shown as an emoji only if U+FE0F comes after them. */
const TEXT =
  "\\u00a9\\u00ae\\u203c\\u2049\\u2122\\u2139\\u2194-\\u2199\\u21a9\\u21aa\\u2328\\u23cf\\u23ed-\\u23ef\\u23f1" +
  "\\u23f2\\u23f8-\\u23fa\\u24c2\\u25aa\\u25ab\\u25b6\\u25c0\\u25fb\\u25fc\\u2600-\\u2604\\u260e\\u2611\\u2618" +
  "\\u261d\\u2620\\u2622\\u2623\\u2626\\u262a\\u262e\\u262f\\u2638-\\u263a\\u2640\\u2642\\u265f\\u2660\\u2663" +
  "\\u2665\\u2666\\u2668\\u267b\\u267e\\u2692\\u2694-\\u2697\\u2699\\u269b\\u269c\\u26a0\\u26a7\\u26b0\\u26b1" +
  "\\u26c8\\u26cf\\u26d1\\u26d3\\u26e9\\u26f0\\u26f1\\u26f4\\u26f7-\\u26f9\\u2702\\u2708\\u2709\\u270c\\u270d" +
  "\\u270f\\u2712\\u2714\\u2716\\u271d\\u2721\\u2733\\u2734\\u2744\\u2747\\u2763\\u2764\\u27a1\\u2934\\u2935" +
  "\\u2b05-\\u2b07\\u3030\\u303d\\u3297\\u3299\\u{1f170}\\u{1f171}\\u{1f17e}\\u{1f17f}\\u{1f202}\\u{1f237}" +
  "\\u{1f321}\\u{1f324}-\\u{1f32c}\\u{1f336}\\u{1f37d}\\u{1f396}\\u{1f397}\\u{1f399}-\\u{1f39b}\\u{1f39e}" +
  "\\u{1f39f}\\u{1f3cb}-\\u{1f3ce}\\u{1f3d4}-\\u{1f3df}\\u{1f3f3}\\u{1f3f5}\\u{1f3f7}\\u{1f43f}\\u{1f441}" +
  "\\u{1f4fd}\\u{1f549}\\u{1f54a}\\u{1f56f}\\u{1f570}\\u{1f573}-\\u{1f579}\\u{1f587}\\u{1f58a}-\\u{1f58d}" +
  "\\u{1f590}\\u{1f5a5}\\u{1f5a8}\\u{1f5b1}\\u{1f5b2}\\u{1f5bc}\\u{1f5c2}-\\u{1f5c4}\\u{1f5d1}-\\u{1f5d3}" +
  "\\u{1f5dc}-\\u{1f5de}\\u{1f5e1}\\u{1f5e3}\\u{1f5e8}\\u{1f5ef}\\u{1f5f3}\\u{1f5fa}\\u{1f6cb}\\u{1f6cd}-" +
  "\\u{1f6cf}\\u{1f6e0}-\\u{1f6e5}\\u{1f6e9}\\u{1f6f0}\\u{1f6f3}";
/** Characters that are shown as an emoji by themselves. */
const EMOJI =
  "\\u231a\\u231b\\u23e9-\\u23ec\\u23f0\\u23f3\\u25fd\\u25fe\\u2614\\u2615\\u2648-\\u2653\\u267f\\u2693\\u26a1" +
  "\\u26aa\\u26ab\\u26bd\\u26be\\u26c4\\u26c5\\u26ce\\u26d4\\u26ea\\u26f2\\u26f3\\u26f5\\u26fa\\u26fd\\u2705" +
  "\\u270a\\u270b\\u2728\\u274c\\u274e\\u2753-\\u2755\\u2757\\u2795-\\u2797\\u27b0\\u27bf\\u2b1b\\u2b1c\\u2b50" +
  "\\u2b55\\u{1f004}\\u{1f0cf}\\u{1f18e}\\u{1f191}-\\u{1f19a}\\u{1f201}\\u{1f21a}\\u{1f22f}\\u{1f232}-" +
  "\\u{1f236}\\u{1f238}-\\u{1f23a}\\u{1f250}\\u{1f251}\\u{1f300}-\\u{1f320}\\u{1f32d}-\\u{1f335}\\u{1f337}-" +
  "\\u{1f37c}\\u{1f37e}-\\u{1f393}\\u{1f3a0}-\\u{1f3ca}\\u{1f3cf}-\\u{1f3d3}\\u{1f3e0}-\\u{1f3f0}\\u{1f3f4}" +
  "\\u{1f3f8}-\\u{1f43e}\\u{1f440}\\u{1f442}-\\u{1f4fc}\\u{1f4ff}-\\u{1f53d}\\u{1f54b}-\\u{1f54e}\\u{1f550}-" +
  "\\u{1f567}\\u{1f57a}\\u{1f595}\\u{1f596}\\u{1f5a4}\\u{1f5fb}-\\u{1f64f}\\u{1f680}-\\u{1f6c5}\\u{1f6cc}" +
  "\\u{1f6d0}-\\u{1f6d2}\\u{1f6d5}-\\u{1f6d9}\\u{1f6dc}-\\u{1f6df}\\u{1f6eb}\\u{1f6ec}\\u{1f6f4}-\\u{1f6fc}" +
  "\\u{1f7e0}-\\u{1f7eb}\\u{1f7f0}\\u{1f90c}-\\u{1f93a}\\u{1f93c}-\\u{1f945}\\u{1f947}-\\u{1f9ff}\\u{1fa70}-" +
  "\\u{1fa7c}\\u{1fa80}-\\u{1fac6}\\u{1fac8}\\u{1facc}-\\u{1fadd}\\u{1fadf}-\\u{1faeb}\\u{1faef}-\\u{1fafa}";

const FLAG = "[\\u{1f1e6}-\\u{1f1ff}]{2}";
const KEY = "[0-9#*]\\ufe0f?\\u20e3";
const TAGS = "[\\u{e0020}-\\u{e007e}]+\\u{e007f}";
const ONE = `(?:${FLAG}|[${TEXT}${EMOJI}](?:[\\u{1f3fb}-\\u{1f3ff}]|\\ufe0f?(?:${TAGS})?))`;
const SEQUENCE = `(?:${KEY}|${ONE}(?:\\u200d${ONE})*)`;
const WHOLE = new RegExp(`^${SEQUENCE}$`, "u");
const FEW = new RegExp(`^${SEQUENCE}(?:\\s*${SEQUENCE}){0,11}$`, "u");
const WITH_LOOK = new RegExp(`([${TEXT}])\\ufe0f?(?![\\u{1f3fb}-\\u{1f3ff}])`, "gu");
const WITHOUT = new RegExp(`([${EMOJI}])\\ufe0f`, "gu");

/** Whether a text is one emoji and nothing else, so that it may be a reaction. */
export function isEmoji(text: string): boolean {
  return text.length <= 128 && WHOLE.test(text);
}

/** An emoji as the server spells it: keyboards leave out the choice of its look, or put it in. */
export function oneSpelling(emoji: string): string {
  if (/^[0-9#*]/.test(emoji)) return `${emoji[0]}\ufe0f\u20e3`;
  return emoji.replace(WITH_LOOK, "$1\ufe0f").replace(WITHOUT, "$1");
}

/** Whether a message is a few emoji and nothing else; they may be shown large. */
export function isOnlyEmoji(text: string): boolean {
  return text.length <= 200 && FEW.test(text.trim());
}
