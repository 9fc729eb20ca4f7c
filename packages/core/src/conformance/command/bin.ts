#!/usr/bin/env -S node --conditions=@tidemark/source
// How the command runs from the workspace: the sources as they are. What is published starts at tidemark-conformance.ts.
import "./tidemark-conformance.ts";
