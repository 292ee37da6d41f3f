/** Help, shortcuts and the tour. */
export function mountHelp() {}
