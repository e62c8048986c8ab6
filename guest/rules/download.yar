// What fetches something and runs it, and shells that are handed out.

rule download_exec
{
  meta:
    id = "download-exec"
    version = 1
    reason = "runs text it gets from the network as Python"
  strings:
    $at = /\b(exec|eval)\s{0,5}\(\s{0,5}(compile\s{0,5}\(\s{0,5})?[^\n]{0,60}(requests\s{0,5}\.\s{0,5}(get|post)|urlopen|httpx\s{0,5}\.\s{0,5}(get|post)|http\.request|urllib3)\s{0,5}\(/
    $fetch = /(requests\s{0,5}\.\s{0,5}(get|post)|urlopen|httpx\s{0,5}\.\s{0,5}(get|post)|\.recv)\s{0,5}\(/
    $at_later = /(^|[\n=(:;,])[ \t]{0,60}exec\s{0,5}\(\s{0,5}(compile\s{0,5}\(\s{0,5})?[A-Za-z_]\w{0,30}(\.text|\.content|\.read\s{0,5}\(\)|\.decode\s{0,5}\([^)\n]{0,20}\)|\s{0,5}[,)])/
  condition:
    python and ($at or for any i in (1..#at_later) : (for any j in (1..#fetch) : (@at_later[i] > @fetch[j] and @at_later[i] - @fetch[j] < 400)))
}

rule download_run
{
  meta:
    id = "download-run"
    version = 1
    reason = "writes what it fetched to a file and starts it"
  strings:
    $fetch = /(urlretrieve|urlopen|requests\s{0,5}\.\s{0,5}get|httpx\s{0,5}\.\s{0,5}get|wget\.download|DownloadFile)\s{0,5}\(/
    $write = /open\s{0,5}\([^\n]{0,100}["']wb?\+?["']|write_bytes\s{0,5}\(|urlretrieve\s{0,5}\(|wget\.download\s{0,5}\(|os\.write\s{0,5}\(/
    $at = /(os\.system|subprocess\.(Popen|run|call|check_call|check_output)|os\.startfile|os\.popen|os\.exec[lv]p?e?|os\.spawn[lv]p?e?|\bPopen)\s{0,5}\(/
    $mode = /chmod\s{0,5}\([^\n]{0,80}(0o?7[0-7]{2}|S_IX|0o?[1-7][1357][0-7]|493|511)/
  condition:
    python and $write and for any i in (1..#at) : (
      (for any j in (1..#fetch) : (@at[i] > @fetch[j] and @at[i] - @fetch[j] < 700)) and
      ($mode or for any k in (1..#write) : (@at[i] > @write[k] and @at[i] - @write[k] < 300)))
}

rule shell_download
{
  meta:
    id = "shell-download"
    version = 1
    reason = "a shell line that fetches and runs"
  strings:
    $pipe = /(curl|wget)\s[^\n|"'`]{0,200}\|\s{0,5}(sudo\s{1,5})?(ba|z|da|k)?sh\b/
    $pipe_python = /(curl|wget)\s[^\n|"'`]{0,200}\|\s{0,5}(sudo\s{1,5})?python[0-9.]{0,4}\b/
    $then = /(curl|wget)\s[^\n"'`]{0,200}(&&|;)\s{0,5}(chmod\s{1,5}(\+x|[0-7]{3,4})|(ba)?sh|nohup|\.\/)/
    $decode = /base64\s{1,5}(-d|--decode|-D)\b[^\n"'`]{0,80}\|\s{0,5}(ba|z|da)?sh\b/
    $powershell = /powershell(\.exe)?["',\s]{1,6}[^\n]{0,100}(-e(nc(odedcommand)?)?["',\s]{1,6}[A-Za-z0-9+\/=]{20,}|DownloadString|DownloadFile|Invoke-WebRequest|\biwr\b|\biex\b)/ nocase
    $run = /(os\.system|os\.popen|subprocess\.\w{3,12}|\bPopen|\brun|\bcall|check_call|check_output|getoutput|create_subprocess_shell|\bspawn)\s{0,5}\(/
  condition:
    (kind == "script" and any of ($decode, $powershell)) or (python and $run and any of ($pipe, $pipe_python, $then, $decode, $powershell))
}

rule reverse_shell
{
  meta:
    id = "reverse-shell"
    version = 1
    reason = "hands a shell to who is at the other end of a connection"
  strings:
    $dup = /(os\.)?dup2\s{0,5}\(\s{0,5}\w{1,20}\.fileno\s{0,5}\(\)\s{0,5},\s{0,5}[012]\s{0,5}\)/
    $spawn = /pty\.spawn\s{0,5}\(|\/bin\/(ba|z|da)?sh|cmd\.exe/
    $tcp = /(bash|sh)\s{1,5}-i\s{0,5}[>&0-9]{1,5}\s{0,5}\/dev\/(tcp|udp)\//
    $nc = /\b(nc|ncat|netcat)(\.traditional)?\s[^\n]{0,60}\s-(e|c)\s{0,5}["']?(\/bin\/)?(ba|z)?sh\b/
    $loop = /\.recv\s{0,5}\([^\n]{0,40}\n?[^#]{0,200}(subprocess\.(Popen|run|getoutput|check_output|getstatusoutput)|os\.popen|os\.system)\s{0,5}\([^#]{0,250}\.send(all)?\s{0,5}\(/
  condition:
    kind != "text" and (($dup and $spawn) or $tcp or $nc or (python and $loop))
}

rule memory_exec
{
  meta:
    id = "memory-exec"
    version = 1
    reason = "runs a program or machine code from memory"
  strings:
    $memfd = /memfd_create\s{0,5}\(|syscall\s{0,5}\(\s{0,5}319\b/
    $fd = /\/proc\/(self|%d|\{[^}\n]{0,30}\})\/fd\/|os\.f?exec[lv]p?e?\s{0,5}\(|fexecve|execveat/
    $alloc = /VirtualAlloc(Ex)?\b|mmap\.PROT_EXEC|PROT_EXEC\s{0,5}=\s{0,5}(4|0x4)|mprotect\s{0,5}\(/
    $jump = /CreateRemoteThread|CreateThread\b|CFUNCTYPE\s{0,5}\([^\n]{0,80}\)\s{0,5}\(|RtlMoveMemory|QueueUserAPC/
    $code = /["'](\\x[0-9a-fA-F]{2}){16}|(shellcode|payload)\s{0,5}=/ nocase
  condition:
    python and (($memfd and $fd) or ($alloc and $jump and $code))
}
