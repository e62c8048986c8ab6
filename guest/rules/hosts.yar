// `{hosts}` becomes one string for each row of hosts.txt.

rule drop_host
{
  meta:
    id = "drop-host"
    version = 1
    reason = "holds the address of a webhook, request bin, paste, tunnel or file drop with its key"
  strings:
    {hosts}
  condition:
    kind != "text" and any of them
}

rule address_url
{
  meta:
    id = "address-url"
    version = 1
    reason = "fetches from or sends to an address without a name"
  strings:
    $at = /["'](https?|ftp|wss?):\/\/([1-9]|1[1-9]|[2-9][0-9]|1[013-9][0-9]|12[0-68-9]|2[0-4][0-9])\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(:[0-9]{2,5})?(\/|["'])/
    $private = /:\/\/(192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|169\.254\.|1\.1\.1\.1|8\.8\.8\.8|8\.8\.4\.4|1\.2\.3\.4)/
    $use = /((requests|httpx|session)\s{0,5}\.\s{0,5}(get|post|put|request)|urlopen|urlretrieve|urllib\.request\.Request|HTTPS?Connection|websockets?\.connect)\s{0,5}\(/
  condition:
    python and $use and #at > #private
}

rule address_socket
{
  meta:
    id = "address-socket"
    version = 1
    reason = "connects to a public address given as a number"
  strings:
    $at = /\.(connect(_ex)?|create_connection|sendto)\s{0,5}\(\s{0,5}[^\n]{0,40}\(\s{0,5}["']([1-9]|1[1-9]|[2-9][0-9]|1[013-9][0-9]|12[0-68-9]|2[0-4][0-9])\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}["']\s{0,5},\s{0,5}[0-9]{1,5}/
    $probe = /["'](192\.168\.[0-9.]{3,7}|172\.(1[6-9]|2[0-9]|3[01])\.[0-9.]{3,7}|8\.8\.8\.8|8\.8\.4\.4|1\.1\.1\.1|1\.2\.3\.4)["']\s{0,5},\s{0,5}[0-9]{1,5}/
  condition:
    python and #at > #probe
}
