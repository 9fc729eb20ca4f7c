/** Waits for a condition that nothing tells of, but not for ever. */
export async function eventually(condition: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const endsAt = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endsAt) throw new Error(`not within ${withinMs} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Collects events and lets a test wait for one. */
export class EventLog<Event extends { readonly type: string }> {
  readonly all: Event[] = [];

  readonly hear = (event: Event): void => {
    this.all.push(event);
  };

  of<Type extends Event["type"]>(type: Type): Extract<Event, { readonly type: Type }>[] {
    return this.all.filter((event): event is Extract<Event, { readonly type: Type }> => event.type === type);
  }

  async first<Type extends Event["type"]>(type: Type): Promise<Extract<Event, { readonly type: Type }>> {
    await eventually(() => this.of(type).length > 0);
    return this.of(type)[0] as Extract<Event, { readonly type: Type }>;
  }
}
