URL = "https://discord.com/api/webhooks/"
BOT = "https://api.telegram.org/bot{token}/sendMessage"
