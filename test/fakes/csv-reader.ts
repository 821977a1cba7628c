// Reads CSV as RFC 4180 §2 has it, written apart from what makes it: records of fields, quotes doubled in quoted ones. Throws on
// anything that the grammar does not have.

export function readCsv(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  for (let at = 0; at < text.length; ) {
    const { field, end } = text[at] === '"' ? quoted(text, at) : plain(text, at);
    record.push(field);
    if (text[end] === ",") {
      at = end + 1;
      continue;
    }
    if (text.slice(end, end + 2) !== "\r\n") throw new Error(`no CR LF at ${end}: ${text.slice(end, end + 20)}`);
    records.push(record);
    record = [];
    at = end + 2;
  }
  if (record.length > 0) throw new Error("the last record has no end");
  return records;
}

function quoted(text: string, start: number): { field: string; end: number } {
  let field = "";
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw new Error(`the quote at ${start} is not closed`);
    field += text.slice(at, quote);
    if (text[quote + 1] !== '"') return { field, end: quote + 1 };
    field += '"';
    at = quote + 2;
  }
}

function plain(text: string, start: number): { field: string; end: number } {
  const end = start + text.slice(start).search(/[,\r\n]|$/);
  const field = text.slice(start, end);
  if (field.includes('"')) throw new Error(`a quote in a field without quotes at ${start}`);
  return { field, end };
}
