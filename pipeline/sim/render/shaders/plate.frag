uniform sampler2D picture;
uniform vec3 light;
uniform vec3 veil;           // haze's colour in this place, already weighted
uniform float clear;         // share that haze lets through
uniform uint identity;
in vec2 uv;
layout(location = 0) out vec4 color;
layout(location = 1) out uint owner;
void main() {
    vec3 c = texture(picture, uv).rgb;
    owner = identity;
    color = vec4(sqrt(clamp(c * c * light * clear + veil, 0.0, 1.0)), 1.0);
}
