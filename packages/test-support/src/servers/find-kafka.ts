import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { findOnPath, serverCache } from "./find-program.ts";
import { findServerProgram, howToGet } from "./find-server-program.ts";
import { localProgram, type ServerProgram } from "./server-program.ts";

const JARS_VARIABLE = "TIDEMARK_TEST_KAFKA_JARS";
const IMAGE_VERSION = "4.3.1";

/** What is needed to run a broker. */
export interface KafkaProgram {
  readonly java: ServerProgram;
  /** The broker's jars and its tools', as Java's `-cp`. */
  readonly classPath: string;
  readonly version: string;
  /** What Java made of a broker's classes, for the next one to start with. */
  readonly archive?: string;
}

/** Finds a broker's jars and a Java, or says in half a line why there are none. */
export function findKafka(urlVariable: string): KafkaProgram | string {
  const named = process.env[JARS_VARIABLE];
  if (named !== undefined)
    return inFolder(named) ?? `${JARS_VARIABLE} is no folder with Kafka's jars, or no java is on the PATH`;
  const image = { name: `apache/kafka:${IMAGE_VERSION}`, program: "java" };
  const variable = "TIDEMARK_TEST_KAFKA_JAVA";
  const inDocker =
    process.env[variable] === undefined ? findServerProgram({ variable, urlVariable, image, target: "kafka" }) : "";
  if (typeof inDocker !== "string") return { java: inDocker, classPath: "/opt/kafka/libs/*", version: IMAGE_VERSION };
  return inFolder(join(serverCache(), "kafka")) ?? howToGet("kafka", urlVariable, JARS_VARIABLE);
}

/** Java's arguments, before a main class: those that start it soonest. */
export function javaArguments({ classPath, archive }: KafkaProgram): readonly string[] {
  const shared = archive === undefined ? [] : [`-XX:SharedArchiveFile=${archive}`];
  return ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", ...shared, "-cp", classPath];
}

function inFolder(folder: string): KafkaProgram | undefined {
  const java = findOnPath("java");
  const version = jarsIn(folder)
    .map((jar) => /^kafka-server-([\d.]+\d)\.jar$/.exec(jar)?.[1])
    .find((found) => found !== undefined);
  if (java === undefined || version === undefined) return undefined;
  const archive = join(folder, "classes.jsa");
  return { java: localProgram(java), classPath: join(folder, "*"), version, ...(existsSync(archive) && { archive }) };
}

function jarsIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
