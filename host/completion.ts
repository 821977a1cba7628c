// What a shell needs to complete `sidetone`: a script that holds the whole table, so that pressing Tab starts nothing.
import { type ArgumentSpec, type FlagSpec, flagsOf, type HostCommand } from "./command.js";

export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
export type Shell = (typeof SHELLS)[number];

const MAKERS: Readonly<Record<Shell, (commands: readonly HostCommand[]) => string[]>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  powershell: powershellScript,
};

/** Lines. */
export function completionScript(shell: Shell, commands: readonly HostCommand[]): string[] {
  return MAKERS[shell](commands);
}

/** What stands at an argument's place or behind a flag. */
type Slot = Pick<FlagSpec & ArgumentSpec, "choices" | "names">;

function bashScript(commands: readonly HostCommand[]): string[] {
  return [
    "# bash completion for sidetone; source it, or keep it in /etc/bash_completion.d",
    "_sidetone() {",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="${COMP_WORDS[1]}"',
    "  COMPREPLY=()",
    // Bash takes "--flag=value" apart at the sign.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    '  if [[ $cur == "=" ]]; then cur=""; elif [[ $prev == "=" ]]; then prev="${COMP_WORDS[COMP_CWORD-2]}"; fi',
    "  if (( COMP_CWORD == 1 )); then",
    `    COMPREPLY=( $(compgen -W ${quoted([...names(commands), "--version", "--help"].join(" "))} -- "$cur") )`,
    "    return",
    "  fi",
    '  case "$command $prev" in',
    ...commands.flatMap((command) =>
      valueFlags(command).map(([flag, spec]) => `    "${command.name} --${flag}") ${bashSlot(spec)}; return ;;`),
    ),
    "  esac",
    '  case "$command" in',
    ...commands.flatMap((command) => {
      const flags = flagNames(command).map((flag) => `--${flag}`);
      return [
        `    ${command.name})`,
        `      if [[ $cur == -* ]]; then COMPREPLY=( $(compgen -W ${quoted(flags.join(" "))} -- "$cur") )`,
        `      else ${bashSlot(wholeSlot(command))}; fi ;;`,
      ];
    }),
    "  esac",
    "}",
    "complete -o filenames -F _sidetone sidetone",
  ];
}

function bashSlot({ choices, names }: Slot): string {
  if (choices) return `COMPREPLY=( $(compgen -W ${quoted(choices.join(" "))} -- "$cur") )`;
  if (names === undefined) return ":";
  // Not split at blanks in names.
  return `mapfile -t COMPREPLY < <(compgen ${names === "folder" ? "-d" : "-f"} -- "$cur")`;
}

function zshScript(commands: readonly HostCommand[]): string[] {
  const flagLine = ([flag, spec]: [string, FlagSpec]): string => {
    const value = spec.value === undefined ? "" : `:${spec.value}:${zshAction(spec)}`;
    const repeat = spec.isRepeatable ? "*" : "";
    return quoted(
      `${repeat}--${flag}${value && "="}[${spec.summary.replace(/[[\]]/g, "").replaceAll(":", "\\:")}]${value}`,
    );
  };
  return [
    "#compdef sidetone",
    "_sidetone() {",
    "  local -a commands",
    "  commands=(",
    ...commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`),
    "  )",
    "  if (( CURRENT == 2 )); then _describe command commands; return; fi",
    '  case "$words[2]" in',
    ...commands.flatMap((command) => [
      `    ${command.name})`,
      "      shift words; (( CURRENT-- ))",
      `      _arguments ${[...Object.entries(flagsOf(command)).map(flagLine), ...(command.arguments ?? []).map((spec) => quoted(`${spec.isRepeatable ? "*" : ""}:${spec.name}:${zshAction(spec)}`))].join(" ")} ;;`,
    ]),
    "  esac",
    "}",
    'if [[ $funcstack[1] == _sidetone ]]; then _sidetone "$@"; else compdef _sidetone sidetone; fi',
  ];
}

function zshAction({ choices, names }: Slot): string {
  if (choices) return `(${choices.join(" ")})`;
  if (names === undefined) return " ";
  return names === "folder" ? "_files -/" : "_files";
}

function fishScript(commands: readonly HostCommand[]): string[] {
  const first = "complete -c sidetone -n __fish_use_subcommand -f";
  return [
    "# fish completion for sidetone; keep it as ~/.config/fish/completions/sidetone.fish",
    "complete -c sidetone -f",
    ...commands.map(({ name, summary }) => `${first} -a ${name} -d ${quoted(summary)}`),
    ...commands.flatMap((command) => {
      const within = `complete -c sidetone -n '__fish_seen_subcommand_from ${command.name}'`;
      const flags = Object.entries(flagsOf(command)).map(([flag, spec]) => {
        const value = spec.value === undefined ? "" : ` -r${fishSlot(spec)}`;
        return `${within} -l ${flag}${value} -d ${quoted(spec.summary)}`;
      });
      const slot = fishSlot(wholeSlot(command));
      return slot === " -f" ? flags : [...flags, `${within}${slot}`];
    }),
  ];
}

function fishSlot({ choices, names }: Slot): string {
  if (choices) return ` -f -a ${quoted(choices.join(" "))}`;
  if (names === undefined) return " -f";
  return names === "folder" ? " -f -a '(__fish_complete_directories)'" : " -F";
}

function powershellScript(commands: readonly HostCommand[]): string[] {
  const list = (words: readonly string[]): string => `@(${words.map(powershellQuoted).join(", ")})`;
  return [
    "# PowerShell completion for sidetone; dot-source it from $PROFILE",
    "Register-ArgumentCompleter -Native -CommandName sidetone -ScriptBlock {",
    "  param($wordToComplete, $commandAst, $cursorPosition)",
    "  $flags = @{",
    ...commands.map(
      (command) => `    ${powershellQuoted(command.name)} = ${list(flagNames(command).map((flag) => `--${flag}`))}`,
    ),
    "  }",
    "  $choices = @{",
    ...commands.flatMap((command) => {
      const ofArguments = wholeSlot(command).choices;
      return [
        ...(ofArguments ? [`    ${powershellQuoted(command.name)} = ${list(ofArguments)}`] : []),
        ...valueFlags(command).flatMap(([flag, spec]) =>
          spec.choices ? [`    ${powershellQuoted(`${command.name} --${flag}`)} = ${list(spec.choices)}`] : [],
        ),
      ];
    }),
    "  }",
    "  $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })",
    "  $count = if ($wordToComplete) { $words.Count - 1 } else { $words.Count }",
    "  $candidates = @()",
    `  if ($count -le 1) { $candidates = ${list([...names(commands), "--version", "--help"])} }`,
    '  elseif ($choices.ContainsKey("$($words[1]) $($words[$count - 1])")) { $candidates = $choices["$($words[1]) $($words[$count - 1])"] }',
    "  elseif ($wordToComplete -like '-*') { $candidates = $flags[$words[1]] }",
    "  elseif ($choices.ContainsKey($words[1])) { $candidates = $choices[$words[1]] }",
    '  $candidates | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {',
    "    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)",
    "  }",
    "}",
  ];
}

/** What any argument of the command may be: the choices of all, else names when one is a name. */
function wholeSlot({ arguments: specs = [] }: HostCommand): Slot {
  const choices = specs.flatMap((spec) => spec.choices ?? []);
  if (choices.length > 0) return { choices };
  const named = specs.find((spec) => spec.names !== undefined);
  return named?.names === undefined ? {} : { names: named.names };
}

function valueFlags(command: HostCommand): [string, FlagSpec][] {
  return Object.entries(flagsOf(command)).filter(([, spec]) => spec.value !== undefined);
}

function flagNames(command: HostCommand): string[] {
  return Object.keys(flagsOf(command));
}

function names(commands: readonly HostCommand[]): string[] {
  return commands.map(({ name }) => name);
}

/** For a POSIX shell, and fish. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function powershellQuoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
