//! How we log in to a store: one header, out of files that may change.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;

use crate::logs::config::Config;

/// Which of the ways is configured.
enum Way {
    None,
    Basic {
        user: String,
        password_file: Option<PathBuf>,
    },
    /// The word in front, and the file with what follows it.
    File(&'static str, PathBuf),
}

/// The header, and where it comes from.
pub struct Credentials {
    way: Way,
    header: RwLock<Option<HeaderValue>>,
}

impl Credentials {
    /// An error names the file, never what is in it.
    pub fn read(config: &Config) -> Result<Credentials, String> {
        let user = config.user.clone().map(|user| Way::Basic {
            user,
            password_file: config.password_file.clone(),
        });
        if user.is_none() && config.password_file.is_some() {
            return Err("password_file is set: set user too".to_owned());
        }
        let token = config.token_file.clone();
        let token = token.map(|path| Way::File("Bearer", path));
        let api_key = config.api_key_file.clone();
        let api_key = api_key.map(|path| Way::File("ApiKey", path));
        let mut ways: Vec<Way> = [user, token, api_key].into_iter().flatten().collect();
        if ways.len() > 1 {
            return Err("user, token_file and api_key_file cannot be combined".to_owned());
        }
        let way = ways.pop().unwrap_or(Way::None);
        let header = RwLock::new(way.header()?);
        Ok(Credentials { way, header })
    }

    pub fn header(&self) -> Option<HeaderValue> {
        let header = self.header.read().unwrap_or_else(PoisonError::into_inner);
        header.clone()
    }

    /// Reads the files again, and says whether that made a difference.
    pub fn have_changed(&self) -> bool {
        // Files that can't be read now leave the former content in use.
        let Ok(new) = self.way.header() else {
            return false;
        };
        let mut header = self.header.write().unwrap_or_else(PoisonError::into_inner);
        let have_changed = *header != new;
        *header = new;
        have_changed
    }
}

impl Way {
    fn header(&self) -> Result<Option<HeaderValue>, String> {
        let text = match self {
            Way::None => return Ok(None),
            Way::Basic {
                user,
                password_file,
            } => {
                let password = match password_file {
                    Some(path) => secret("password file", path)?,
                    None => String::new(),
                };
                let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
                format!("Basic {pair}")
            }
            Way::File(word, path) => {
                let place = match *word {
                    "Bearer" => "token file",
                    _ => "API key file",
                };
                let secret = secret(place, path)?;
                if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(format!("{place} {}: not a token", path.display()));
                }
                format!("{word} {secret}")
            }
        };
        let header = HeaderValue::try_from(text);
        let mut header = header.expect("base64 and visible ASCII make a header");
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

fn secret(place: &str, path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{place} {}: {error}", path.display()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    match text.is_empty() {
        true => Err(format!("{place} {} is empty", path.display())),
        false => Ok(text.to_owned()),
    }
}
