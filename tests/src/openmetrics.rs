//! OpenMetrics text, read as strictly as the standard has it, by other code than that which writes it: what is wrong anywhere in it is an error.
//!
//! Of the standard only what an exposition of counters, gauges and infos needs is taken; anything else is refused.

use std::collections::{BTreeMap, BTreeSet};

/// Values by the name of the sample and its labels, in their order: `lost_total{probe="file_open",reason="ring_full"}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    samples: BTreeMap<String, f64>,
    families: BTreeSet<String>,
}

/// The family that is being read.
#[derive(Default)]
struct Family {
    name: String,
    kind: Option<String>,
    unit: Option<String>,
    help: bool,
    samples: usize,
}

impl Exposition {
    /// Reads a text.
    ///
    /// # Errors
    /// The line, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let body = text
            .strip_suffix("# EOF\n")
            .ok_or("it does not end with # EOF and a line feed")?;
        let mut all = Self::default();
        let mut family = Family::default();
        for line in body.split_terminator('\n') {
            all.take(line, &mut family)
                .map_err(|why| format!("{line:?}: {why}"))?;
        }
        family.end()?;
        Ok(all)
    }

    /// One value, by the name of the sample and its labels.
    #[must_use]
    pub fn get(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    /// A whole number.
    ///
    /// # Panics
    /// Where it is not there, or is none.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "that it is one is looked at"
    )]
    pub fn number(&self, sample: &str) -> u64 {
        let value = self
            .get(sample)
            .unwrap_or_else(|| panic!("{sample} is not there"));
        assert!(
            value >= 0.0 && value.fract() == 0.0 && value < 2e15,
            "{sample} is {value}"
        );
        value as u64
    }

    /// All values of a sample's name, with their labels.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.samples.iter().filter_map(move |(sample, value)| {
            let rest = sample.strip_prefix(name)?;
            (rest.is_empty() || rest.starts_with('{')).then_some((rest, *value))
        })
    }

    /// The names of the families.
    #[must_use]
    pub fn families(&self) -> &BTreeSet<String> {
        &self.families
    }

    fn take(&mut self, line: &str, family: &mut Family) -> Result<(), String> {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (Some(what), Some(name), Some(rest)) = (words.next(), words.next(), words.next()) else {
                return Err("no keyword, name and text".into());
            };
            return self.describe(what, name, rest, family);
        }
        let (sample, value) = sample(line)?;
        let name = sample.split('{').next().unwrap_or_default();
        if name != family.sample_name()? {
            return Err(format!("it is not of the family {}", family.name));
        }
        let is_whole_sign = value >= 0.0 && value.is_finite();
        if family.kind.as_deref() == Some("counter") && !is_whole_sign {
            return Err("a counter is a number that is not below 0".into());
        }
        if family.kind.as_deref() == Some("info") && value != 1.0 {
            return Err("an info is 1".into());
        }
        family.samples += 1;
        match self.samples.insert(sample, value) {
            None => Ok(()),
            Some(_) => Err("it is there twice".into()),
        }
    }

    fn describe(&mut self, what: &str, name: &str, rest: &str, family: &mut Family) -> Result<(), String> {
        if family.name != name {
            std::mem::take(family).end()?;
            if !self.families.insert(name.to_owned()) {
                return Err("its family was there before".into());
            }
            family.name = name_of(name)?.to_owned();
        }
        if family.samples > 0 {
            return Err("it comes behind samples of its family".into());
        }
        match what {
            "HELP" if !family.help => family.help = true,
            "TYPE" if family.kind.is_none() && ["counter", "gauge", "info"].contains(&rest) => {
                family.kind = Some(rest.to_owned());
            }
            "UNIT" if family.unit.is_none() && name.ends_with(&format!("_{rest}")) => {
                family.unit = Some(rest.to_owned());
            }
            _ => return Err("not a description, or one that is there already".into()),
        }
        Ok(())
    }
}

impl Family {
    fn sample_name(&self) -> Result<String, String> {
        let suffix = match self.kind.as_deref() {
            Some("counter") => "_total",
            Some("gauge") => "",
            Some("info") => "_info",
            _ => return Err("its family has no type".into()),
        };
        Ok(format!("{}{suffix}", self.name))
    }

    fn end(self) -> Result<(), String> {
        let is_none = self.name.is_empty();
        if is_none || (self.help && self.kind.is_some() && self.samples > 0) {
            Ok(())
        } else {
            Err(format!("family {} has no help, no type or no sample", self.name))
        }
    }
}

/// A sample without timestamp and exemplar, which ours have not.
fn sample(line: &str) -> Result<(String, f64), String> {
    let name_end = line.find(['{', ' ']).ok_or("no value")?;
    let name = name_of(&line[..name_end])?;
    let mut rest = &line[name_end..];
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        let mut names = BTreeSet::new();
        loop {
            let (label, behind) = rest.split_once("=\"").ok_or("no value of a label")?;
            if !names.insert(name_of(label)?.to_owned()) {
                return Err(format!("label {label} twice"));
            }
            let end = behind.find('"').ok_or("the value of a label has no end")?;
            let value = &behind[..end];
            if value.contains('\\') {
                return Err("an escape, where no value needs one".into());
            }
            labels.push(format!("{label}=\"{value}\""));
            rest = &behind[end + 1..];
            match (rest.strip_prefix(','), rest.strip_prefix('}')) {
                (Some(more), _) => rest = more,
                (None, Some(over)) => {
                    rest = over;
                    break;
                }
                (None, None) => return Err("neither a comma nor a brace behind a label".into()),
            }
        }
    }
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    let number = value.parse().map_err(|_| format!("{value:?} is no number"))?;
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", labels.join(","))
    };
    Ok((format!("{name}{labels}"), number))
}

fn name_of(name: &str) -> Result<&str, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins && name.chars().all(is_plain) {
        Ok(name)
    } else {
        Err(format!("{name:?} is no name"))
    }
}

#[cfg(test)]
mod tests {
    use super::Exposition;

    const GOOD: &str = "# HELP lost Lost.\n# TYPE lost counter\nlost_total{probe=\"a\",reason=\"b\"} 2\nlost_total{probe=\"c\",reason=\"b\"} 0\n\
                        # HELP ring_bytes Ring.\n# TYPE ring_bytes gauge\n# UNIT ring_bytes bytes\nring_bytes 1.5\n\
                        # HELP build Built.\n# TYPE build info\nbuild_info{version=\"0.1.0\"} 1\n# EOF\n";

    #[test]
    fn what_is_right_is_read() {
        let read = Exposition::parse(GOOD).expect("right");
        assert_eq!(read.number("lost_total{probe=\"a\",reason=\"b\"}"), 2);
        assert_eq!(read.get("ring_bytes"), Some(1.5));
        assert_eq!(read.all("lost_total").count(), 2);
        assert_eq!(read.families().len(), 3);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for (from, to) in [
            ("# EOF\n", ""),
            ("# EOF\n", "# EOF\n\n"),
            ("# TYPE lost counter\n", ""),
            ("lost_total{probe=\"a\"", "lost{probe=\"a\""),
            ("probe=\"c\"", "probe=\"a\""),
            ("} 0\n", "} -1\n"),
            ("} 0\n", "} many\n"),
            ("\"b\"} 2", "\"b\"}2"),
            ("reason=\"b\"} 2", "probe=\"b\"} 2"),
            ("reason=\"b\"} 2", "rea-son=\"b\"} 2"),
            ("# UNIT ring_bytes bytes", "# UNIT ring_bytes seconds"),
            ("ring_bytes 1.5", "# HELP ring_bytes Again.\nring_bytes 1.5"),
            ("} 1\n# EOF", "} 2\n# EOF"),
            ("# HELP build Built.", "# HELP lost Again."),
            ("# HELP ring_bytes Ring.\n", ""),
            ("\nbuild_info{version=\"0.1.0\"} 1", ""),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD);
            assert!(Exposition::parse(&text).is_err(), "taken:\n{text}");
        }
    }
}
