//! What is shown of a collection: under the names of profiles, and with rolling windows.

use super::super::args::Collect;
use super::super::outcome::Stop;
use tach::{ExporterBuilder, Registry, Snapshot, Windows};

type View = Box<dyn Fn(&Snapshot) -> Snapshot + Send + Sync>;

pub(super) fn view(builder: ExporterBuilder, registry: &Registry, options: &Collect) -> Result<ExporterBuilder, Stop> {
    let names = names(options)?;
    if options.windows.is_empty() {
        return Ok(match names {
            Some(names) => builder.view(names),
            None => builder,
        });
    }
    let of: Vec<&str> = options.windows_of.iter().map(String::as_str).collect();
    let windows = Windows::start(registry, &of, &options.windows)?;
    let windows = if options.window_summaries { windows.summaries()? } else { windows };
    // One more for the differences, as a view keeps what it worked out for the last snapshot.
    let (Some(names), Some(names_of_last)) = (names, self::names(options)?) else {
        return Ok(builder.view(move |now| windows.show(now)));
    };
    Ok(builder.view(move |now| windows.show_as(now, &names(now), &names_of_last)))
}

/// The names of the profiles, where there are any, with the labels that `TACH_MODEL_NAME` and `TACH_ENGINE` say.
#[cfg(feature = "serve")]
fn names(options: &Collect) -> Result<Option<View>, Stop> {
    use tach::serve::{Profile, Profiles, Settings};

    let is_named = |profile: &Profile| options.profiles.iter().any(|given| given == profile.name());
    let list: Vec<Profile> = Profile::ALL.iter().copied().filter(is_named).collect();
    if list.is_empty() {
        return Ok(None);
    }
    let profiles = Profiles::new(&list, &Settings::from_env()?.identity)?;
    Ok(Some(Box::new(move |snapshot| profiles.apply(snapshot))))
}

#[cfg(not(feature = "serve"))]
fn names(_: &Collect) -> Result<Option<View>, Stop> {
    Ok(None)
}
