// What a build script does beyond building. `kind` is "setup" for the setup.py a build runs.

rule setup_network
{
  meta:
    id = "setup-network"
    version = 1
    reason = "setup.py talks to the network"
  strings:
    $at = /(requests|httpx)\s{0,5}\.\s{0,5}(get|post|put|request|Session)\s{0,5}\(|urlopen\s{0,5}\(|urlretrieve\s{0,5}\(|HTTPS?Connection\s{0,5}\(|socket\.(socket|create_connection|gethostbyname|getaddrinfo)\s{0,5}\(|["'](curl|wget)["'\s]/
  condition:
    kind == "setup" and $at
}

rule setup_hook
{
  meta:
    id = "setup-hook"
    version = 1
    reason = "setup.py replaces a command and starts programs or decodes code in it"
  strings:
    $class = /class\s{1,5}\w{1,60}\s{0,5}\(\s{0,5}[^)\n]{0,60}\b(install|develop|egg_info|build_py|sdist|bdist_egg|install_lib|Install|InstallCommand)\b[^)\n]{0,40}\)/
    $map = /cmdclass\s{0,5}=/
    $decode = /(b64decode|fromhex|unhexlify|marshal\.loads|zlib\.decompress)\s{0,5}\(/
    $shell = /(os\.system|os\.popen|shell\s{0,5}=\s{0,5}True|\b(ba)?sh["',\s]{1,6}-c\b|powershell|pythonw?(\.exe)?["',\s]{1,6}-c\b|sys\.executable\s{0,5},\s{0,5}["']-c["'])/
    $run = /(^|[\n=(:;,])[ \t]{0,60}(exec|eval)\s{0,5}\(/
  condition:
    kind == "setup" and $class and $map and ($decode or $shell) and ($shell or $run)
}

rule setup_home
{
  meta:
    id = "setup-home"
    version = 1
    reason = "setup.py reads or writes in the home folder"
  strings:
    $home = /expanduser\s{0,5}\(\s{0,5}f?["']~|Path\.home\s{0,5}\(|environ(\.get\s{0,5}\(|\s{0,5}\[)\s{0,5}["'](HOME|USERPROFILE|APPDATA)["']/
    $at = /\bopen\s{0,5}\(|read_(text|bytes)\s{0,5}\(|write_(text|bytes)\s{0,5}\(|shutil\.(copy|copyfile|move)\s{0,5}\(|os\.(listdir|walk|makedirs)\s{0,5}\(/
    $hidden = /["'\/]\.(ssh|aws|pypirc|netrc|bashrc|zshrc|profile|config|gnupg|docker|kube|local|npmrc|git-credentials)\b/
  condition:
    kind == "setup" and $home and $at and $hidden
}
