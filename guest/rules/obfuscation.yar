// Code that hides what it runs. Identifiers, reasons and versions are in `meta`; how rules are run: guest/agent/static_rules.py.

rule decoded_exec
{
  meta:
    id = "decoded-exec"
    version = 1
    reason = "runs what it decodes in the same expression"
  strings:
    $at = /\b(exec|eval)\s{0,10}\(\s{0,10}(compile\s{0,10}\(\s{0,10})?[^\n#]{0,120}(b(16|32|64|85)decode|a85decode|urlsafe_b64decode|unhexlify|bytes\.fromhex|\.decompress\s{0,5}\(|marshal\.loads|rot_?13|getattr\s{0,5}\(\s{0,5}__import__)/
  condition:
    kind != "text" and $at
}

rule decoded_later
{
  meta:
    id = "decoded-later"
    version = 1
    reason = "decodes a long literal and runs something shortly after"
  strings:
    $literal = /["'][A-Za-z0-9+\/=_\\-]{120,}["']/
    $decode = /(b(16|32|64|85)decode|a85decode|unhexlify|bytes\.fromhex|zlib\.decompress|lzma\.decompress|marshal\.loads|codecs\.decode)\s{0,5}\(/
    $at = /(^|[\n=(:;,])[ \t]{0,60}(exec|eval)\s{0,5}\(\s{0,5}[A-Za-z_(]/
  condition:
    python and $literal and for any i in (1..#at) : (for any j in (1..#decode) : (@at[i] > @decode[j] and @at[i] - @decode[j] < 800))
}

rule marshal_literal
{
  meta:
    id = "marshal-literal"
    version = 1
    reason = "byte code as a literal, run or made a function"
  strings:
    $load = /marshal\b[^\n]{0,40}\bloads\s{0,5}\(|__import__\s{0,5}\(\s{0,5}["']marshal["']/
    $at = /\b[bB]r?["'](\\xe3|\\x63|c)\\x00\\x00\\x00/
    $run = /\b(exec|eval|FunctionType|CodeType)\b/
  condition:
    python and $load and $at and $run
}

rule inline_import_decode
{
  meta:
    id = "inline-import-decode"
    version = 1
    reason = "decoder imported inside the expression that uses it, the mark of generated obfuscation"
  strings:
    $at = /__import__\s{0,5}\(\s{0,5}["'](zlib|base64|marshal|lzma|bz2|codecs|binascii)["']\s{0,5}\)\s{0,5}\.\s{0,5}(decompress|loads|decode|[ab](16|32|64|85)decode|urlsafe_b64decode|unhexlify)/
  condition:
    kind != "text" and $at
}

rule character_list
{
  meta:
    id = "character-list"
    version = 1
    reason = "runs text put together from numbers"
  strings:
    $list = /\b(exec|eval|__import__|getattr)\s{0,5}\([^\n]{0,80}(join\s{0,5}\(\s{0,5}(\[?\s{0,5}chr\s{0,5}\(|map\s{0,5}\(\s{0,5}chr|\(\s{0,5}chr\s{0,5}\()|bytes\s{0,5}\(\s{0,5}\[\s{0,5}[0-9]{1,3}\s{0,5},)/
    $sum = /\b(exec|eval|__import__)\s{0,5}\([^\n]{0,20}(chr\s{0,5}\(\s{0,5}[0-9xa-fob]{1,6}\s{0,5}\)\s{0,5}\+\s{0,5}){4}/
    $at_join = /(exec|eval)\s{0,5}\(\s{0,5}["']{2}\.join\s{0,5}\([^\n]{0,60}\bchr\s{0,5}\(/
  condition:
    python and any of them
}

rule hidden_builtin
{
  meta:
    id = "hidden-builtin"
    version = 1
    reason = "reaches exec, eval or __import__ under a name that does not show it"
  strings:
    $get = /getattr\s{0,5}\(\s{0,5}(__builtins__|builtins|__import__\s{0,5}\(\s{0,5}["']builtins["']\s{0,5}\))\s{0,5},\s{0,5}(["'](exec|eval|__import__|compile)["']|["'][a-z_]{1,8}["']\s{0,5}\+|["']["']\.join|[^\n]{0,40}\[::-1\])/
    $item = /(__builtins__(\.__dict__)?|globals\s{0,5}\(\)\s{0,5}\[\s{0,5}["']__builtins__["']\s{0,5}\])\s{0,5}(\.__dict__)?\s{0,5}\[\s{0,5}["'](ex|ev|exec|eval|__im[a-z]{0,6}_{0,2}|compile)["'](\s{0,5}\+|\s{0,5}\]\s{0,5}\()/
    $alias = /^[ \t]{0,40}[A-Za-z_]\w{0,30}[ \t]{0,5}=[ \t]{0,5}(exec|eval)[ \t]{0,5}(;|\r?$)/
    $reversed = /(exec|eval|__import__|getattr)\s{0,5}\([^\n()]{0,60}["'][^"'\n]{2,200}["']\s{0,5}\[\s{0,5}::\s{0,5}-1\s{0,5}\]/
  condition:
    python and any of ($get, $item, $reversed) or (python and #alias > 0 and #alias < 3 and filesize < 20KB)
}

rule escaped_source
{
  meta:
    id = "escaped-source"
    version = 1
    reason = "runs a literal written as number escapes"
  strings:
    $at = /\b(exec|eval|compile)\s{0,5}\(\s{0,5}[bBuU]?["']{1,3}(\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[0-7]{3}){8}/
  condition:
    python and $at
}

rule wide_whitespace
{
  meta:
    id = "wide-whitespace"
    version = 1
    reason = "a statement pushed out of sight by blanks on its line"
  strings:
    $at_statement = /;        [ \t]{72,}[^\s#]/
    $at_block = /:        [ \t]{72,}(exec|eval|import|from|__import__|os\.|subprocess|lambda)\b/
    $blank = /\n[ \t]{200,}(exec|eval|import|from|__import__|os\.|subprocess)\b/
  condition:
    python and any of them
}

rule confusing_names
{
  meta:
    id = "confusing-names"
    version = 1
    reason = "many names made of letters that look alike"
  strings:
    $at_o = /\bO[Oo0]{7,}\b/
    $at_i = /\bI[Il1]{9,}\b/
    $at_l = /\bl[Il1]{9,}\b/
    $run = /\b(exec|eval|compile|__import__|getattr)\b/
  condition:
    python and $run and (#at_o > 10 or #at_i + #at_l > 10)
}

rule packer
{
  meta:
    id = "packer"
    version = 1
    reason = "made by a tool that keeps sources from being read"
  strings:
    $pyarmor = /\b__pyarmor__\s{0,5}\(\s{0,5}__name__/
    $pyarmor_old = /from\s{1,5}pytransform\s{1,5}import\s{1,5}pyarmor_runtime/
    $hyperion = /\b(Hyperion|Kramer|BlankOBF|Berserker|pyobfuscate)\b[^\n]{0,60}obfus/ nocase
    $lambda = /\(\s{0,5}lambda\s{1,5}__{0,20}\s{0,5}:[^\n]{0,80}\(\s{0,5}lambda\s{1,5}__{0,20}\s{0,5}:[^\n]{0,200}__import__/
    $tower = "_ = lambda __ :"
  condition:
    python and any of them
}

rule source_elsewhere
{
  meta:
    id = "source-elsewhere"
    version = 1
    reason = "runs text taken from a picture, a docstring or a file that is no source"
  strings:
    $picture = /\b(exec|eval)\s{0,5}\([^\n]{0,60}(getpixel|getdata|lsb\.reveal|stepic\.decode|stegano)/
    $reveal = /(lsb\.reveal|stepic\.decode)\s{0,5}\(/
    $doc = /\b(exec|eval)\s{0,5}\([\w. ]{0,40}__doc__/
    $file = /\bexec\s{0,5}\([^\n]{0,80}open\s{0,5}\([^\n)]{0,80}\.(png|jpe?g|gif|ico|bmp|dat|bin|txt|log|tmp|pyc?_|wav|woff2?|svg|md|json)["']/
    $run = /(^|[\n=(:;,])[ \t]{0,60}(exec|eval)\s{0,5}\(/
  condition:
    python and ($picture or $doc or $file or ($reveal and $run))
}
