/** A topic, a partition or both, as people read them in messages: ` on topic "orders" partition "0"` without its ` on `. */
export function placeText({ topic, partition }: { readonly topic?: string; readonly partition?: number }): string {
  return [
    ...(topic === undefined ? [] : [`topic ${JSON.stringify(topic)}`]),
    ...(partition === undefined ? [] : [`partition "${partition}"`]),
  ].join(" ");
}
