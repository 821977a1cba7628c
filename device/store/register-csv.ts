// The registers as CSV (RFC 4180), to and from spreadsheets and other systems: rows to entries, all of them or none, and
// entries to rows that no spreadsheet takes for formulas. Text in, text out; opens no file.
//
// Read: a header row with the columns in any order, comma or semicolon as the header has it, UTF-8 with or without byte
// order mark, CRLF, LF or CR. Written: commas and CRLF.
import { isUtf8 } from "node:buffer";
import type { RegisterFields, RegisterFormat, Statement } from "../consent/register-line.js";

/** `problems`: at most MAX_PROBLEMS lines, "line 17: validTo 2026-02-30 is no date"; `count` is of all. */
export type CsvImport<Entry> =
  | { ok: true; statements: Statement<Entry>[] }
  | { ok: false; problems: string[]; count: number };

export const MAX_PROBLEMS = 20;
/** Beyond any spreadsheet; longer texts do not fit into one string of JavaScript. */
export const MAX_CSV_BYTES = 256 * 1024 * 1024;
const BYTE_ORDER_MARK = "\ufeff";
/** More than the registers have columns; the rest of such a row is not looked at. */
const MAX_FIELDS = 32;
const MAX_SHOWN_CHARACTERS = 40;
/**
 * What spreadsheets take for the beginning of a formula, the wide forms of East Asian keyboards included. An apostrophe
 * before it makes it a text; one more before texts that have one already keeps both apart when they are read again.
 */
const FORMULA = /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const ESCAPED_FORMULA = /^'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

/** Reads a whole file; any bad row makes all of it bad. `maxRows` bounds what is looked at. */
export function parseRegisterCsv<Entry extends object>(
  bytes: Buffer,
  format: RegisterFormat<Entry>,
  maxRows: number,
): CsvImport<Entry> {
  const problems = new Problems();
  if (bytes.length > MAX_CSV_BYTES) problems.add(1, `the file is larger than ${MAX_CSV_BYTES >> 20} MiB`);
  else if (!isUtf8(bytes)) problems.add(lineThatIsNotUtf8(bytes), "not UTF-8: save the file as CSV in UTF-8");
  if (problems.count > 0) return problems.result();

  const text = bytes.toString("utf8").replace(BYTE_ORDER_MARK, "");
  const rows = readRows(text, delimiterOf(text));
  const header = rows.next();
  if (header.done) problems.add(1, noHeader(columnNames(format)));
  const names = header.done ? [] : readHeader(header.value, format, problems);
  if (problems.count > 0) return problems.result();

  const statements: Statement<Entry>[] = [];
  for (const row of rows) {
    if (statements.length >= maxRows) {
      problems.add(row.line, `more than ${maxRows} rows: raise consent.register.maxEntries`);
      break;
    }
    const checked = "problem" in row ? row : checkRow(row.fields, names, format);
    if ("problem" in checked) problems.add(row.line, checked.problem);
    else statements.push(checked.statement);
  }
  return problems.count > 0 ? problems.result() : { ok: true, statements };
}

/** The header and a row for each entry, in their order. */
export function formatRegisterCsv<Entry extends object>(
  format: RegisterFormat<Entry>,
  entries: Iterable<Entry>,
): string {
  const names = columnNames(format);
  const rows = [names.join(",")];
  for (const entry of entries) {
    const fields = entry as RegisterFields;
    rows.push(names.map((name) => writeField(fields[name] ?? "")).join(","));
  }
  return `${rows.join("\r\n")}\r\n`;
}

class Problems {
  count = 0;
  private readonly listed: string[] = [];

  add(line: number, problem: string): void {
    this.count++;
    if (this.listed.length < MAX_PROBLEMS) this.listed.push(`line ${line}: ${problem}`);
  }

  result(): { ok: false; problems: string[]; count: number } {
    return { ok: false, problems: this.listed, count: this.count };
  }
}

/** `line` is the one in which the row begins, from 1. */
type Row = { line: number; fields: string[] } | { line: number; problem: string };

/** Rows as they are, those with nothing in them left out. After a bad one it goes on with the next line. */
export function* readRows(text: string, delimiter: string): Generator<Row> {
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const row = readRow(text, at, delimiter);
    if ("problem" in row) yield { line, problem: row.problem };
    else if (row.fields.some((field) => field.trim() !== "")) yield { line, fields: row.fields };
    line += lineBreaks(text, at, row.end);
    at = row.end;
  }
}

/** `end` is behind the row's line break. */
type ReadRow = { end: number; fields: string[] } | { end: number; problem: string };

function readRow(text: string, start: number, delimiter: string): ReadRow {
  const fields: string[] = [];
  let at = start;
  for (;;) {
    const isQuoted = text[at] === '"';
    const end = isQuoted ? quotedEnd(text, at) : plainEnd(text, at, delimiter);
    if (end < 0) return { end: lineEnd(text, start), problem: "a quotation mark is never closed" };
    const field = text.slice(at, end);
    if (!isQuoted && field.includes('"'))
      return { end: lineEnd(text, at), problem: "a quotation mark within a field that is not quoted" };
    fields.push(isQuoted ? field.slice(1, -1).replaceAll('""', '"') : field);
    if (end === text.length) return { end, fields };
    if (text[end] === "\r" || text[end] === "\n") return { end: lineEnd(text, end), fields };
    if (text[end] !== delimiter) return { end: lineEnd(text, end), problem: "text behind a closing quotation mark" };
    if (fields.length > MAX_FIELDS) return { end: lineEnd(text, end), problem: "too many fields" };
    at = end + 1;
  }
}

/** Behind the quotation mark that closes the field; -1 when none does. Two together stand for one (RFC 4180 §2, 7). */
function quotedEnd(text: string, open: number): number {
  let at = open + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return -1;
    if (text[quote + 1] !== '"') return quote + 1;
    at = quote + 2;
  }
}

function plainEnd(text: string, start: number, delimiter: string): number {
  let at = start;
  while (at < text.length && text[at] !== delimiter && text[at] !== "\r" && text[at] !== "\n") at++;
  return at;
}

/** Behind the next line break at or after `from`. */
function lineEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== "\r" && text[at] !== "\n") at++;
  return Math.min(text.length, at + (text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1));
}

function lineBreaks(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) {
    if (text[at] === "\n" || (text[at] === "\r" && text[at + 1] !== "\n")) count++;
  }
  return count;
}

/** No column's name holds either of them. */
function delimiterOf(text: string): string {
  return text.slice(0, lineEnd(text, text.search(/[^\r\n]|$/))).includes(";") ? ";" : ",";
}

function columnNames<Entry extends object>(format: RegisterFormat<Entry>): string[] {
  return format.columns.map(({ name }) => name);
}

/** The columns in the file's order. */
function readHeader<Entry extends object>(row: Row, format: RegisterFormat<Entry>, problems: Problems): string[] {
  if ("problem" in row) {
    problems.add(row.line, row.problem);
    return [];
  }
  const all = columnNames(format);
  const titles = row.fields.map((field) => field.trim());
  const found = titles.map((title) => all.find((name) => name.toLowerCase() === title.toLowerCase()));
  if (found.every((name) => name === undefined)) {
    problems.add(row.line, noHeader(all));
    return [];
  }
  const names = found.map((name, index) => {
    const title = titles[index]!;
    if (name === undefined) problems.add(row.line, `unknown column ${shown(title)}: the columns are ${all.join(",")}`);
    return name ?? title;
  });
  for (const { name, isRequired } of format.columns) {
    const count = names.filter((other) => other === name).length;
    if (count > 1) problems.add(row.line, `column ${name} is there twice`);
    else if (count === 0 && isRequired) problems.add(row.line, `column ${name} is missing`);
  }
  return names;
}

function noHeader(columns: readonly string[]): string {
  return `no header: the first line is ${columns.join(",")}`;
}

function checkRow<Entry extends object>(
  fields: readonly string[],
  names: readonly string[],
  format: RegisterFormat<Entry>,
): { statement: Statement<Entry> } | { problem: string } {
  if (fields.length !== names.length)
    return { problem: `${fields.length} fields, but the header has ${names.length} columns` };
  const named = Object.fromEntries(names.map((name, index) => [name, unescapeFormula(fields[index]!)]));
  const checked = format.check(named);
  return checked.ok ? { statement: checked.statement } : { problem: checked.problem };
}

function unescapeFormula(field: string): string {
  return ESCAPED_FORMULA.test(field) ? field.slice(1) : field;
}

/** Quoted where another program might split it, whichever delimiter that one takes. */
function writeField(text: string): string {
  const field = FORMULA.test(text) ? `'${text}` : text;
  return /[",;\t\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

function lineThatIsNotUtf8(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    if (!isUtf8(bytes.subarray(start, end))) return line;
    start = end;
  }
  return line;
}

function shown(text: string): string {
  return text.slice(0, MAX_SHOWN_CHARACTERS).replaceAll(/[\p{C}\u2028\u2029]/gu, "?") || '""';
}
