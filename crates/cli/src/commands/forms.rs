//! Forms of a connection string, as text for people.

use crate::screen::Paint;
use tidegate_connect::{Form, PasswordFrom};

/// Returns each form below its title.
pub fn forms_text(forms: &[Form], paint: Paint) -> String {
    let form_text = |form: &Form| {
        let password = match form.password {
            PasswordFrom::Env => ", password from the environment",
            PasswordFrom::Literal => ", password in the text",
            PasswordFrom::Asked => "",
            PasswordFrom::Apart => ", without the password",
        };
        let title = paint.dim(&format!("# {}{password}", form.title));
        format!("\n{title}\n{}\n", form.text)
    };
    forms.iter().map(form_text).collect()
}
