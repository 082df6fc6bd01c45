//! Verbs of other tools: an error names what does the same here, instead of a command that is only spelled alike.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error};

/// Adds what an unknown command is called here, if it is a verb of other tools.
pub(super) fn with_our_verb(mut error: Error) -> Error {
    if let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand)
        && let Some(ours) = our_verbs(verb)
    {
        let tips = ours.iter().map(|ours| StyledStr::from(*ours)).collect();
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

fn our_verbs(verb: &str) -> Option<&'static [&'static str]> {
    Some(match verb {
        "validate" | "lint" => &["`crontabber check` checks the registry"],
        "tail" => &["`crontabber log -f JOB` follows the output of an attempt"],
        "trigger" | "exec" => &["`crontabber run JOB` runs a job now"],
        "clear" | "rerun" => {
            &["`crontabber retry JOB DATE` runs a date again", "`crontabber reset JOB` starts a job anew"]
        }
        "explain" => &["`crontabber why JOB DATE` explains a date"],
        "unpause" => &["`crontabber resume` ends a pause"],
        "reload" => &["SIGHUP reloads the registry: `systemctl reload crontabber`"],
        "stop" => &["SIGTERM stops the daemon: `systemctl stop crontabber`", "`crontabber pause` pauses its jobs"],
        _ => return None,
    })
}
