export const kit = {
  showMore: "Show more",
  copy: "Copy",
  copied: "Copied.",
  selected: "Selected: press Ctrl+C (⌘C) to copy it.",
  saved: "Saved.",
  never: "never",
  noLimit: "No limit",
  userId: "User name",
  userIdHint: "For example ada. Others find it in lists and on cards.",
  optionalReason: "Reason (optional)",
  days: (days: number): string => (days === 1 ? "1 day" : `${days} days`),
  expires: (when: string): string => `expires ${when}`,
} as const;
