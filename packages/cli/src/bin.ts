#!/usr/bin/env -S node --conditions=@tidemark/source --disable-warning=ExperimentalWarning
// How the command runs from the workspace: the sources as they are, with nothing built. What is published starts at
// tidemark.ts instead: there the line above would ask for an `env` that knows -S, and for a condition that is not there.
import "./tidemark.ts";
