//! Passwords stay out of every message.

use super::*;

#[test]
fn passwords_are_never_shown() {
    for text in [
        "[daemon]\nledger = \"postgres://u:geheim@h/db\nx = 1\n",
        "[daemon]\nledger = \"postgres://u:gehe im@h/db\" x\n",
        "[daemon]\nledger = \"mysql://u:geheim@h/db\"\n",
        "[daemon]\nledger = [\"postgres://u:geheim@h/db\"]\n",
        "[daemon]\nledger = \"\"\"postgres://u:\\\n  geheim\\u0001@h/db\"\"\"\n",
        "daemon = { ledger = \"postgres://u:geheim@h/db\", tz = \"UTC\" }\n",
        "daemon.ledgr = \"postgres://u:geheim@h/db\"\n",
        "daemon.url = \"postgres://u:geheim@h/db\"\n",
        "[daemon]\nledger = \"postgres://u@h/db?password=geheim\" 3\n",
        "[daemon]\nledger = \"a\"\nledger = \"postgres://u:geheim@h/db\"\n",
    ] {
        let folder = folder(&[("jobs.toml", text)]);
        let error = load(&folder).unwrap_err();
        let all =
            format!("{}{error}{error:?}{}", error.render(false), serde_json::to_string(error.diagnostics()).unwrap());
        assert!(!all.contains("geheim") && !all.contains("gehe im"), "{all}");
    }
}
