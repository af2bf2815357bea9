//! Reading configuration and policies again while running. Both are read and validated before either counts; what does
//! not validate is reported and changes nothing.

use crate::applied::{Applied, hash};
use crate::commands::lock_out;
use crate::configuration::Configuration;
use crate::system::{self, System, configuration_actor};

/// Remembers what is in force.
#[derive(Debug)]
pub struct Reloader {
    configuration: Configuration,
}

impl Reloader {
    pub const fn new(configuration: Configuration) -> Self {
        Self { configuration }
    }

    /// Puts what has changed into force, or says what is wrong and leaves everything as it is.
    pub async fn reload(&mut self, system: &System) {
        match self.try_reload(system).await {
            Ok(changes) if changes.is_empty() => tracing::debug!("read again: nothing has changed"),
            Ok(changes) => tracing::info!("read again, in force now: {}", changes.join(", ")),
            Err(error) => tracing::error!("not put into force, what was in force stays:\n{error:#}"),
        }
    }

    async fn try_reload(&mut self, system: &System) -> anyhow::Result<Vec<&'static str>> {
        let administrator = system.administrator();
        let fresh = self.read()?;
        let directory = fresh.as_ref().map_or(&self.configuration, |(fresh, _)| fresh).policies_directory();
        let applied = Applied::of(system.directory());
        let set = applied.policies(&directory, administrator.symbols())?;
        let by = configuration_actor()?.subject;

        let mut changes = Vec::new();
        let in_force = administrator.policies();
        if (set.hash(), set.guardrails_hash()) != (in_force.hash(), in_force.guardrails_hash()) {
            for warning in set.warnings() {
                tracing::warn!("{warning}");
            }
            let configuration = fresh.as_ref().map_or(&self.configuration, |(fresh, _)| fresh);
            for warning in lock_out::warnings(configuration, Some((&set, administrator.symbols())))? {
                tracing::warn!("{warning}");
            }
            administrator.publish(set, Some(by.clone())).await?;
            changes.push("policies");
        }
        let Some((fresh, hash)) = fresh else { return Ok(changes) };
        if fresh == self.configuration {
            return Ok(changes);
        }
        self.warn_of_what_waits(&fresh);
        let settings = applied.settings(&fresh, system.origin())?;
        if settings != *administrator.settings() {
            administrator.reconfigure(settings, hash, Some(by)).await?;
            changes.push("settings");
        }
        if fresh.inventory != self.configuration.inventory {
            system::reapply(system, &fresh.inventory).await?;
            changes.push("inventory");
        }
        self.configuration = fresh;
        Ok(changes)
    }

    /// The file as it is now, in the places that cannot move while running as they are; and its hash.
    fn read(&self) -> anyhow::Result<Option<(Configuration, String)>> {
        let Some(file) = &self.configuration.file else { return Ok(None) };
        let (mut fresh, warnings) = Configuration::read(file)?;
        for warning in warnings {
            tracing::warn!(file = %file.display(), "{}", warning.message);
        }
        // The option or variable that named it still does.
        self.configuration.data_directory.clone_into(&mut fresh.data_directory);
        let hash = hash(&std::fs::read(file)?);
        Ok(Some((fresh, hash)))
    }

    fn warn_of_what_waits(&self, fresh: &Configuration) {
        let old = &self.configuration;
        let waits = [
            ("organisation", old.organisation != fresh.organisation),
            ("listen", old.listen != fresh.listen),
            ("tls", old.tls != fresh.tls),
            ("domain", old.domain != fresh.domain),
            ("control_host", old.control_host != fresh.control_host),
            ("node", old.node != fresh.node),
            ("provider", old.providers != fresh.providers),
            ("limits", old.limits != fresh.limits),
            ("telemetry", old.otlp != fresh.otlp),
        ];
        for (name, _) in waits.iter().filter(|(_, changed)| *changed) {
            tracing::warn!("{name} has changed and counts after a restart");
        }
    }
}
