/** The longest time that Node's timers take, in milliseconds: one that is set for longer fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
