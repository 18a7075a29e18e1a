/** The code in an invite, which people have as a link with the code behind its `#`, or alone. */
export function inviteCode(given: string): string {
  const text = given.trim();
  const at = text.lastIndexOf("#");
  return decoded(at < 0 ? text : text.slice(at + 1));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Take the code of an invite out of the page's address, so that it is not copied or bookmarked with it. */
export function takeInvite(): string {
  // Other places of the page begin with other letters.
  if (location.pathname !== "/" || !location.hash.startsWith("#gci_")) return "";
  const code = inviteCode(location.hash);
  history.replaceState(null, "", location.pathname);
  return code;
}
