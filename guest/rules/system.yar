// What stays, spreads, destroys, mines or looks whether it is watched.

rule persistence
{
  meta:
    id = "persistence"
    version = 1
    reason = "writes where the system or a shell starts programs from"
  strings:
    $rc = /\.(bashrc|zshrc|bash_profile|zprofile|profile|bash_login|xprofile|zshenv)["']/
    $cron = /\/etc\/cron|\/var\/spool\/cron|\bcrontab\s{1,5}-|["']crontab["']\s{0,5},\s{0,5}["']-/
    $systemd = /systemd["'\/, ]{1,4}user\b|\/etc\/systemd\/system|systemctl["',\s]{1,6}(--user["',\s]{1,6})?enable/
    $autostart = /\.config["'\/, ]{1,4}autostart\b|LaunchAgents|CurrentVersion\\{1,2}Run\b|Start Menu\\{1,2}Programs\\{1,2}Startup/
    $keys = /\.ssh["'\/, ]{1,4}authorized_keys/
    $loader = /\/etc\/ld\.so\.preload|\/etc\/profile\.d\/|\/etc\/rc\.local|\/etc\/sudoers/
    $git = /\.git["'\/, ]{1,4}hooks["'\/, ]{1,4}(pre|post)-|core\.hooksPath|init\.templateDir/
    $pip = /(pip\.conf|pip\.ini)["'][^#]{0,600}(extra-)?index-url\s{0,3}=/
    $start = /\.(ipython|jupyter)["'\/, ]{1,4}[^\n"']{0,30}startup|PYTHONSTARTUP["'\s=\]]{1,4}=/
    $write = /open\s{0,5}\([^\n]{0,120}["'][aw]b?\+?t?["']|write_(text|bytes)\s{0,5}\(|\.write\s{0,5}\(|shutil\.(copy|copy2|copyfile|move)\s{0,5}\(|os\.symlink\s{0,5}\(|SetValueEx\s{0,5}\(|(>>|\btee\b)[^\n]{0,60}(rc|profile)/
    $run = /(os\.system|os\.popen|subprocess\.\w{3,12}|Popen|check_call|\brun)\s{0,5}\(/
  condition:
    python and ($write and any of ($rc, $autostart, $keys, $loader, $git, $pip, $start, $systemd, $cron) or ($run and any of ($cron, $systemd)))
    and filesize < 64KB
}

rule start_hook_writer
{
  meta:
    id = "start-hook-writer"
    version = 1
    reason = "writes a file every interpreter runs when it starts"
  strings:
    $name = /["'][\w.-]{0,60}\.(pth|start)["']|(site|user)customize\.py/
    $where = /getsitepackages\s{0,5}\(|getusersitepackages\s{0,5}\(|USER_SITE|site-packages|dist-packages|get_paths?\s{0,5}\(|purelib/
    $write = /open\s{0,5}\([^\n]{0,120}["'][aw]b?\+?t?["']|write_(text|bytes)\s{0,5}\(|shutil\.copy/
    $code = /["'](import |exec\b)/
  condition:
    python and all of them and filesize < 32KB
}

rule start_file_code
{
  meta:
    id = "start-file-code"
    version = 1
    reason = "a .pth or .start file that does more than add a path or call one function"
  strings:
    $at = /(^|\n)import[ \t;][^\n]{0,2000}(b64decode|fromhex|decompress|subprocess|os\.system|popen|urlopen|requests|socket|marshal|ctypes|execv|exec\s{0,5}\([^\n]{0,60}open)\s{0,5}[(.]/
    $long = /(^|\n)import[ \t;][^\n]{600,}/
    $module = /(^|\n)import[ \t]{1,5}[^\n;]{1,60};[^\n]{0,400}(subprocess|socket|urllib|requests|base64|ctypes)\b/
  condition:
    kind == "pth" and any of them
}

rule publishes
{
  meta:
    id = "publishes"
    version = 1
    reason = "takes an upload token and publishes: how a worm spreads"
  strings:
    $token = /["'\/~]\.pypirc\b|TWINE_(PASSWORD|USERNAME)|PYPI_(API_)?TOKEN|["'\/~]\.npmrc\b|NPM_TOKEN|_authToken/
    $upload = /twine["',\s]{1,6}upload|\bnpm["',\s]{1,6}publish|-m["',\s]{1,6}twine|setup\.py["',\s]{1,6}[^\n]{0,30}(upload|sdist)|poetry["',\s]{1,6}publish/
    $git = /git["',\s]{1,6}push\b/
    $run = /(os\.system|os\.popen|subprocess\.\w{3,12}|Popen|check_call|\brun)\s{0,5}\(/
    $walk = /(os\.walk|rglob|glob\.glob|iterdir|getsitepackages)\s{0,5}\(/
  condition:
    python and $token and $run and ($upload or ($git and $walk)) and filesize < 64KB
}

rule destroys
{
  meta:
    id = "destroys"
    version = 1
    reason = "deletes or encrypts a person's files"
  strings:
    $tree = /rmtree\s{0,5}\(\s{0,5}(os\.path\.expanduser\s{0,5}\(\s{0,5}["']~\/?["']\s{0,5}\)|Path\.home\s{0,5}\(\)|["']\/(home|root|etc|usr)?["']|str\s{0,5}\(\s{0,5}Path\.home\s{0,5}\(\)\s{0,5}\))\s{0,5}[,)]/
    $shell = /\brm\s{1,3}-(rf|fr|r\s{1,3}-f)\s{1,3}(--no-preserve-root\s{1,3})?["']?(\/|~|\$HOME)(["'\s;*]|$)/
    $walk = /(os\.walk|rglob|glob\.i?glob|scandir)\s{0,5}\([^\n]{0,100}(home|expanduser|Documents|Desktop|HOME|["']\/["'])/ nocase
    $crypt = /(\bFernet|AES\.new|ChaCha20|Cipher|ARC4\.new)\s{0,5}\(|\.encrypt\s{0,5}\(/
    $replace = /["']wb["']|write_bytes\s{0,5}\(/
    $note = /(os\.(rename|remove|unlink|replace)|\.unlink|\.rename)\s{0,5}\(|["']\.(locked|encrypted|enc|crypt)["']|ransom|bitcoin/ nocase
  condition:
    (kind != "text") and ($tree or $shell or ($walk and $crypt and $replace and $note)) and filesize < 64KB
}

rule process_memory
{
  meta:
    id = "process-memory"
    version = 1
    reason = "reads the memory of other processes"
  strings:
    $memory = /["']\/proc\/(%[ds]|\{[^}\n]{0,30}\})\/mem["']|\/proc\/["']\s{0,5}\+[^\n]{0,40}["']\/mem["']|process_vm_(readv|writev)|PTRACE_(ATTACH|SEIZE|PEEK|POKE)|\bptrace\s{0,5}\(|ReadProcessMemory/
    $maps = /\/maps["']|(iter|list)dir\s{0,5}\(\s{0,5}["']\/proc["']|ctypes|glob\s{0,5}\(\s{0,5}["']\/proc/
  condition:
    python and $memory and $maps
}

rule wallets
{
  meta:
    id = "wallets"
    version = 1
    reason = "looks for wallets, or replaces addresses in the clipboard"
  strings:
    $file = /["'\/\\]wallet\.dat["']|["'\/\\]\.?(Exodus|Electrum|Atomic|Ethereum|Armory|Zcash|Coinomi|Jaxx)["'\/\\][^\n"']{0,20}(wallets?|keystore|Local Storage)?|\.config\/solana\/id\.json/
    $extension = /nkbihfbeogaeaoehlefnkodbefgpgknn|bfnaelmomeimhlpmgjnjophhpkkoljpa|hnfanknocfeofbddgcijnmhnfnkdnaad|fhbohimaelbohpjbbldcngcnapndodjp/
    $seed = /(seed|mnemonic|recovery)[ _]?phrase/ nocase
    $clipboard = /(pyperclip|clipboard)\.(paste|copy)\s{0,5}\(|(Get|Set)ClipboardData|xclip|pbpaste|clipboard_get/
    $address = /bc1[\[(a-zA-HJ-NP-Z0-9]|0x\[a-fA-F0-9\]\{40\}|0x\[0-9a-fA-F\]\{40\}|\[13\]\[a-km-zA-HJ-NP-Z1-9\]|T\[A-Za-z1-9\]\{33\}/
    $send = /(requests|httpx|session)\s{0,5}\.\s{0,5}(post|put)\s{0,5}\(|urlopen\s{0,5}\(|ZipFile\s{0,5}\(|\.sendall\s{0,5}\(/
  condition:
    python and (($clipboard and $address) or (#extension > 1 or ($extension and $file) or #file > 1 or ($file and $seed)) and $send)
}

rule miner
{
  meta:
    id = "miner"
    version = 1
    reason = "mines for somebody"
  strings:
    $stratum = /stratum\+(tcp|ssl|tls):\/\/|["']mining\.(subscribe|authorize|submit)["']/
    $program = /\b(xmrig|cpuminer|nbminer|t-rex|ethminer|minerd)\b[^\n]{0,60}(--?(o|url|donate-level|algo|coin)\b|\.(exe|tar\.gz|zip))/ nocase
  condition:
    kind != "text" and any of them
}

rule looks_for_watchers
{
  meta:
    id = "looks-for-watchers"
    version = 1
    reason = "looks for a virtual machine, debugger or analysis, and does otherwise when it finds one"
  strings:
    $dmi = /\/sys\/class\/dmi\/id|\/sys\/devices\/virtual\/dmi|Win32_(BIOS|ComputerSystem|VideoController)/
    $hypervisor = /["'](vmware|virtualbox|vbox|qemu|kvm|xen|hyper-?v|bochs|parallels|innotek|docker|gvisor)["']/ nocase
    $tracer = /TracerPid|IsDebuggerPresent|CheckRemoteDebuggerPresent|sys\.gettrace\s{0,5}\(\)/
    $tools = /["'](wireshark|procmon|ollydbg|x64dbg|ida(q|64)?|fiddler|strace|tcpdump|processhacker|sandboxie|cuckoo|joebox)(\.exe)?["']/ nocase
    $flags = /\/proc\/cpuinfo|\/proc\/(1|self)\/cgroup|\/\.dockerenv|\/proc\/self\/status/
    $users = /["'](sandbox|malware|maltest|virus|WDAGUtilityAccount|cuckoo|analysis)["']/ nocase
    $leave = /(sys\.exit|os\._exit|\bquit|\bexit)\s{0,5}\(|^\s{1,20}return\s{0,5}(False|None|True)?\s{0,5}$|raise SystemExit/
    $size = /(cpu_count\s{0,5}\(\)|virtual_memory\s{0,5}\(\)|disk_usage\s{0,5}\([^\n]{0,20}\))[^\n]{0,40}<\s{0,5}[0-9]/
  condition:
    python and $leave and 3 of ($dmi, $hypervisor, $tracer, $tools, $flags, $users, $size) and (#hypervisor > 1 or $tracer or #tools > 1 or #users > 1)
    and filesize < 64KB
}

rule date_gate
{
  meta:
    id = "date-gate"
    version = 1
    reason = "waits for a fixed day before it runs or sends something"
  strings:
    $at = /(datetime\.(now|today|utcnow)|date\.today|(datetime\.)?datetime\.now|time\.time|time\.localtime)\s{0,5}\([^\n)]{0,40}\)[^\n]{0,40}(>|<|==|>=|<=)\s{0,5}(datetime\.|dt\.)?(date|datetime)?\s{0,5}(\(\s{0,5}20[2-9][0-9]\s{0,5},|1[789][0-9]{8}\b|2[0-9]{9}\b)/
    $does = /(\bexec|\beval|os\.system|os\.popen|subprocess\.\w{3,12}|Popen|urlopen|requests\.(get|post)|b64decode|rmtree|\.sendall)\s{0,5}\(/
  condition:
    python and for any i in (1..#at) : (for any j in (1..#does) : (@does[j] > @at[i] and @does[j] - @at[i] < 600))
}

rule deletes_itself
{
  meta:
    id = "deletes-itself"
    version = 1
    reason = "removes its own file after it ran"
  strings:
    $at = /(os\.(remove|unlink)|rmtree|Path)\s{0,5}\(\s{0,5}(os\.path\.(abspath|realpath|dirname)\s{0,5}\(\s{0,5})?(__file__|sys\.argv\s{0,5}\[\s{0,5}0\s{0,5}\])\s{0,5}\)\s{0,5}\)?(\.unlink|$|\s|;)/
    $path = /Path\s{0,5}\(\s{0,5}__file__\s{0,5}\)(\.resolve\s{0,5}\(\))?\.unlink\s{0,5}\(/
    $only = /(os\.(remove|unlink)|rmtree)\s{0,5}\(\s{0,5}[^\n]{0,30}(__file__|sys\.argv\s{0,5}\[\s{0,5}0)/
  condition:
    python and ($path or ($at and $only))
}

rule detached_process
{
  meta:
    id = "detached-process"
    version = 1
    reason = "starts a process that outlives it and says nothing, from code that runs at build, start or import"
  strings:
    $detach = /start_new_session\s{0,5}=\s{0,5}True|preexec_fn\s{0,5}=\s{0,5}os\.set(sid|pgrp)|DETACHED_PROCESS|CREATE_NO_WINDOW|\bnohup\b|0x08000000/
    $silent = /DEVNULL|\/dev\/null|SW_HIDE|CREATE_NO_WINDOW/
    $at = /(Popen|subprocess\.(run|call)|os\.system)\s{0,5}\(/
    $fork = /os\.fork\s{0,5}\(\)/
    $session = /os\.setsid\s{0,5}\(\)/
  condition:
    python and (kind == "setup" or early) and (($detach and $silent and $at) or (#fork > 1 and $session))
}
