// What reads secrets or a machine's particulars in a file that also sends.

private rule sends
{
  strings:
    $a = /\b(requests|httpx|session|client|http|aiohttp|urllib3|pool)\s{0,5}\.\s{0,5}(post|put|patch|upload)\s{0,5}\(/
    $b = /urlopen\s{0,5}\(|urllib\.request\.Request\s{0,5}\(|urlretrieve\s{0,5}\(/
    $c = /HTTPS?Connection\s{0,5}\(/
    $d = /\.connect(_ex)?\s{0,5}\(\s{0,5}\(|create_connection\s{0,5}\(|\.sendto\s{0,5}\(/
    $e = /SMTP(_SSL)?\s{0,5}\(|FTP(_TLS)?\s{0,5}\(/
    $f = /requests\s{0,5}\.\s{0,5}(get|request)\s{0,5}\(/
    $g = /["'](curl|wget)["'\s]/
    $h = /getattr\s{0,5}\(\s{0,5}requests\b/
    $i = /(gethostbyname|getaddrinfo)\s{0,5}\(/
  condition:
    any of them
}

rule credential_files
{
  meta:
    id = "credential-files"
    version = 1
    reason = "knows where credentials of other programs are and sends"
  strings:
    $ssh = /["'\/](\.ssh["'\/, ]{1,4}(id_(rsa|ed25519|ecdsa|dsa)|identity)|id_(rsa|ed25519|ecdsa)\b["'])/
    $aws = /\.aws["'\/, ]{1,4}credentials\b/
    $pypirc = /["'\/~]\.pypirc\b/
    $netrc = /["'\/~]\.netrc\b/
    $git = /\.git-credentials\b|\.config["'\/, ]{1,4}gh["'\/, ]{1,4}hosts\.yml/
    $npm = /["'\/~]\.npmrc\b/
    $docker = /\.docker["'\/, ]{1,4}config\.json/
    $kube = /\.kube["'\/, ]{1,4}config\b/
    $gcloud = /application_default_credentials\.json|gcloud["'\/, ]{1,4}credentials\.db/
    $azure = /\.azure["'\/, ]{1,4}(accessTokens|msal_token_cache)/
    $shadow = /\/etc\/shadow\b/
    $history = /\.(bash|zsh|python|psql|mysql)_history\b/
    $env = /["'\/~]\.env["']/
    $cluster = /\/var\/run\/secrets\/kubernetes\.io/
    $metadata = /169\.254\.169\.254\/latest\/meta-data\/iam|metadata\.google\.internal\/[^\n"']{0,80}token/
    $vault = /(KeePass|\.kdbx|1Password|Bitwarden|keychain-db|login\.keychain)/
  condition:
    python and sends and (2 of them or (1 of ($ssh, $aws, $pypirc, $git, $shadow, $npm, $docker, $kube, $gcloud, $history, $cluster) and filesize < 8KB))
}

rule browser_secrets
{
  meta:
    id = "browser-secrets"
    version = 1
    reason = "reads a browser's passwords or cookies"
  strings:
    $login = /["'\/\\]Login Data["'\/\\]/
    $state = /["'\/\\]Local State["'\/\\]/
    $cookies = /["'\/\\](Cookies|Web Data|cookies\.sqlite)["'\/\\]/
    $firefox = /logins\.json|key[34]\.db/
    $storage = /(Local Storage|leveldb)["'\/\\]/
    $unprotect = /CryptUnprotectData|encrypted_key|os_crypt|\bdecrypt\s{0,5}\(|AES\.MODE_GCM|PK11SDR_Decrypt/
    $token = /\[\\w-\]\{2[46]\}\\?\.\[\\w-\]\{6\}/
    $copy = /shutil\.copy2?(file)?\s{0,5}\(|sqlite3\.connect\s{0,5}\(/
  condition:
    python and ((2 of ($login, $state, $cookies, $firefox, $storage) and ($unprotect or $copy)) or ($storage and $token))
}

rule environment_sent
{
  meta:
    id = "environment-sent"
    version = 1
    reason = "sends the whole environment"
  strings:
    $all = /(dict\s{0,5}\(\s{0,5}os\.environ\b|str\s{0,5}\(\s{0,5}os\.environ\b|json\.dumps\s{0,5}\([^\n]{0,40}os\.environ\b(\s{0,5}\)|\s{0,5},|\.copy)|os\.environ\.items\s{0,5}\(\)|os\.environ\.copy\s{0,5}\(\)|urlencode\s{0,5}\([^\n]{0,20}os\.environ\b|=\s{0,5}os\.environ\s{0,5}[,)]|data\s{0,5}=[^\n]{0,60}os\.environ\s{0,5}[)}])/
    $at = /((requests|httpx|session)\s{0,5}\.\s{0,5}(post|put|get)|urlopen|urllib\.request\.Request|\.sendall|\.sendto|\.request)\s{0,5}\(/
  condition:
    python and for any i in (1..#at) : (for any j in (1..#all) : (
      (@at[i] >= @all[j] and @at[i] - @all[j] < 500) or (@all[j] > @at[i] and @all[j] - @at[i] < 200)))
}

rule machine_sent
{
  meta:
    id = "machine-sent"
    version = 1
    reason = "collects who and where it runs, and sends"
  strings:
    $host = /socket\.gethostname\s{0,5}\(|platform\.node\s{0,5}\(|socket\.getfqdn\s{0,5}\(/
    $user = /getpass\.getuser\s{0,5}\(|os\.getlogin\s{0,5}\(|environ(\.get\s{0,5}\(|\s{0,5}\[)\s{0,5}["'](USER|USERNAME|LOGNAME)["']|pwd\.getpwuid/
    $system = /platform\.(uname|platform|version|release)\s{0,5}\(|os\.uname\s{0,5}\(/
    $mac = /uuid\.getnode\s{0,5}\(/
    $where = /os\.getcwd\s{0,5}\(|Path\.cwd\s{0,5}\(|expanduser\s{0,5}\(\s{0,5}["']~["']\s{0,5}\)|Path\.home\s{0,5}\(/
    $ip = /["'][^"'\n]{0,20}(api\.ipify|ifconfig\.me|ipinfo\.io|icanhazip|checkip|ident\.me)[^"'\n]{0,40}["']|gethostbyname\s{0,5}\(\s{0,5}(socket\.)?gethostname/
    $at = /((requests|httpx|session)\s{0,5}\.\s{0,5}(post|put|get)|urlopen|urllib\.request\.Request|\.sendall|\.sendto|gethostbyname|getaddrinfo|HTTPS?Connection)\s{0,5}\(/
  condition:
    python and (($host and $user) or 3 of ($host, $user, $system, $mac, $where, $ip)) and for any i in (1..#at) : (
      (for any j in (1..#host) : (@at[i] - @host[j] < 1200 and @host[j] - @at[i] < 300)) or
      (for any j in (1..#user) : (@at[i] - @user[j] < 1200 and @user[j] - @at[i] < 300)))
}

rule name_lookup_leak
{
  meta:
    id = "name-lookup-leak"
    version = 1
    reason = "asks for names put together from encoded data"
  strings:
    $encode = /(b(16|32|64)encode|hexlify|\.hex)\s{0,5}\(/
    $at = /(gethostbyname(_ex)?|getaddrinfo|resolver\.(resolve|query)|\.resolve)\s{0,5}\(\s{0,5}(f["'][^"'\n]{0,60}\{|["'][^"'\n]{0,60}["']\s{0,5}(%|\.format)|\w{1,30}\s{0,5}\+|["']\.["']\.join)/
    $tool = /(nslookup|dig|host)\s{1,3}[^\n"']{0,40}(\{|%s)/
  condition:
    python and $encode and ($at or $tool)
}

rule spying
{
  meta:
    id = "spying"
    version = 1
    reason = "records keys, screen or camera and sends"
  strings:
    $keys = /(pynput|keyboard)\b[^\n]{0,60}(Listener|on_press|hook)\s{0,5}\(|\bkeyboard\.(on_press|hook|read_event|record)\s{0,5}\(|SetWindowsHookEx|keyboard\.Listener\s{0,5}\(/
    $screen = /ImageGrab\.grab\s{0,5}\(|pyautogui\.screenshot\s{0,5}\(|mss\.mss\s{0,5}\(/
    $camera = /cv2\.VideoCapture\s{0,5}\(\s{0,5}0\s{0,5}\)|sounddevice\.rec\s{0,5}\(/
    $post = /(requests|httpx|session)\s{0,5}\.\s{0,5}(post|put)\s{0,5}\(|SMTP(_SSL)?\s{0,5}\(|\.sendall\s{0,5}\(|urlopen\s{0,5}\([^\n]{0,80}data|Webhook\b/
  condition:
    python and any of ($keys, $screen, $camera) and $post
}
