export const signIn = {
  title: "Sign in",
  userId: "Your name",
  password: "Password",
  enter: "Sign in",
  trusted:
    "This server has no accounts: it believes who you say you are. Use one of the names it was started with.",
} as const;
