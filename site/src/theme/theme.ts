import DefaultTheme from "vitepress/theme-without-fonts";
import type { Theme } from "vitepress";
import "./style.css";

/** Vitepress' own, with the fonts of the reader's machine. */
export const theme: Theme = { extends: DefaultTheme };
