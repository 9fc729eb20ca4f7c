// What ends the messages of Tidemark's own errors, also where another message quotes one.
const POINTER = /; see (https:\/\/\S+\/errors\.md#\w+)/g;

/** A message, and apart from it the address of what is behind it. */
export interface AddressedMessage {
  readonly text: string;
  /** Where the code of the error is explained; the last one, if several are quoted. */
  readonly help: string | undefined;
}

/** Takes the address of an error's explanation out of a message: within a line it would part what belongs together. */
export function splitHelpAddress(message: string): AddressedMessage {
  const [help] = [...message.matchAll(POINTER)].map(([, address]) => address).slice(-1);
  return { text: message.replaceAll(POINTER, ""), help };
}
