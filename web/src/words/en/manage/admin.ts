import { plural } from "../../format";
import { shell } from "../shell";

export const admin = {
  title: shell.titles.admin,
  notAllowed: "Only administrators of this server see these pages.",
  pages: {
    users: "Accounts",
    invites: "Invite links",
    reports: "Reports",
    rooms: "Ownerless rooms",
    bots: "Ownerless bots",
    server: "This server",
  },

  users: {
    lead: "Everyone who has an account here, and their bots.",
    search: "Search by user name or name",
    list: "Accounts",
    create: "New account",
    createTitle: "New account",
    createLead: "Tell the person the password, and ask them to change it.",
    displayName: "Display name (optional)",
    password: "Password",
    passwordHint: "At least 8 characters.",
    isAdmin: "Administrator of the server",
    createIt: "Create account",
    created: (who: string): string => `${who} can log in now.`,
    admin: "administrator",
    bot: "bot",
    blocked: "blocked",
    used: (when: string): string => `last used ${when}`,
    unused: "never used",
    sessions: (count: number): string => plural(count, { one: "# session", other: "# sessions" }),
    empty: "There are no accounts.",
    nothing: (query: string): string => `No account has “${query}” in its name.`,
  },

  user: {
    back: "All accounts",
    about: "Account",
    facts: {
      userId: "User name",
      kind: "Kind",
      owner: "Owner",
      created: "Made",
      used: "Last used",
      state: "State",
      tokens: "Ended tokens",
    },
    kinds: { person: "Person", bot: "Bot", admin: "Administrator" },
    never: "Never",
    blockedSince: (when: string): string => `Blocked since ${when}`,
    blockedWithOwner: "Blocked with its owner",
    active: "Active",
    block: "Block account",
    blockTitle: (who: string): string => `Block ${who}?`,
    blockEffect: (who: string, sessions: number): string =>
      sessions === 0
        ? `${who} and their bots can’t log in until the block ends.`
        : `${who} and their bots are logged out at once (${plural(sessions, { one: "# session", other: "# sessions" })}), and can’t log in until the block ends.`,
    stoppedBots: (bots: string): string => `These bots stop: ${bots}.`,
    unowned: (rooms: string): string =>
      `These rooms have no owner left: ${rooms}. You can give each to a member.`,
    more: (count: number): string => `${count} more`,
    blockIt: "Block",
    blocked: (who: string): string => `${who} is blocked.`,
    unblock: "Unblock",
    unblocked: (who: string): string => `${who} can log in again.`,
    needTokens: (bots: string): string => `These bots need new tokens: ${bots}.`,
    stayBlocked: (bots: string): string => `These bots stay blocked: ${bots}.`,
    makeAdmin: "Make administrator",
    makeAdminTitle: (who: string): string => `Make ${who} an administrator?`,
    makeAdminEffect:
      "They can manage all accounts of this server, yours included. It gives them access to no room.",
    madeAdmin: (who: string): string => `${who} is an administrator now.`,
    revokeAdmin: "Revoke administration",
    revokeAdminTitle: (who: string): string => `Is ${who} no longer an administrator?`,
    revokeAdminEffect: "They can no longer see these pages. Their account stays as it is.",
    revokedAdmin: (who: string): string => `${who} is no longer an administrator.`,
    reset: "New password",
    resetTitle: (who: string): string => `New password for ${who}`,
    resetLead:
      "All their sessions and access tokens end. Tell them the new password, and ask them to change it.",
    resetBots: "End the access tokens of their bots too",
    resetBotsHint: "Do this if somebody else may have known the password.",
    resetIt: "Set password",
    resetDone: (who: string, sessions: number): string =>
      `${who} has a new password. ${plural(sessions, { one: "# session has ended.", other: "# sessions have ended." })}`,
    liveBotTokens: (tokens: number): string =>
      plural(tokens, {
        one: "# access token of their bots still works.",
        other: "# access tokens of their bots still work.",
      }),
    sessions: "Sessions and access tokens",
    noSessions: "It is logged in nowhere, and has no tokens.",
    token: "access token",
    end: "End",
    endTitle: (name: string): string => `End “${name}”?`,
    endEffect: "It is logged out at once.",
    ended: (name: string): string => `“${name}” has ended.`,
    endAll: "End all",
    endAllTitle: (who: string): string => `End all sessions of ${who}?`,
    endAllEffect: "All their devices are logged out, and their access tokens end.",
    endedAll: (count: number): string =>
      plural(count, { one: "# session has ended.", other: "# sessions have ended." }),
    identities: "Other ways to log in",
    noIdentities: "No other account is linked to it.",
    unlinkEffect: "They can no longer log in with it, and all their sessions end.",
    assign: "Give to somebody",
  },

  invites: {
    lead: "Whoever has such a link can register here, so pass it on with care.",
    title: "New invite link to this server",
    makesAdmin: "Whoever registers with it becomes an administrator",
    makesAdminHint: "They can manage all accounts, yours included.",
  },

  reports: {
    lead: "Messages that people have reported, in all rooms. You see what the reports say, and not the messages: administrators read no rooms.",
    room: (roomId: string): string => `room ${roomId}`,
  },

  rooms: {
    lead: "All owners of these rooms are blocked. You can make one of its members the owner of each.",
    list: "Ownerless rooms",
    assign: "Give to a member",
    assignTitle: (room: string): string => `A new owner for ${room}`,
    assignLead: "The room’s members see that you did it, and why.",
    owner: "User name of the member",
    reason: "Reason (optional)",
    assignIt: "Make owner",
    assigned: (who: string, room: string): string => `${who} owns ${room} now.`,
    empty: "Every room has an owner who can log in.",
  },

  bots: {
    lead: "The owners of these bots are blocked, so the bots are too. You can give each to somebody else.",
    list: "Ownerless bots",
    ownedBy: (who: string): string => `of ${who}`,
    ended: (tokens: number): string =>
      plural(tokens, { one: "# token has ended", other: "# tokens have ended" }),
    assign: "Give to somebody",
    assignTitle: (bot: string): string => `A new owner for ${bot}`,
    assignLead: "Its tokens have ended: the new owner makes a new one for it.",
    owner: "User name of the new owner",
    assignIt: "Give the bot",
    assigned: (bot: string, who: string): string => `${bot} belongs to ${who} now.`,
    empty: "Every bot has an owner who can log in.",
    searching: "Looking through all accounts …",
  },

  server: {
    lead: "How this server is set up. The settings are in its configuration file.",
    facts: {
      version: "Version",
      registration: "Who can register",
      password: "Passwords",
      providers: "Other ways to log in",
      address: "Address for programs",
    },
    registration: {
      closed: "Nobody: administrators make accounts",
      invite: "Anyone with an invite",
      open: "Anyone",
    },
    passwords: { on: "People can log in with a password", off: "Nobody can log in with a password" },
    none: "None",
    unknown: "Not set",
    storage: "How much is stored is among the metrics of the server, which the API does not have.",
  },
} as const;
