uniform mat4 camera;
uniform vec2 jitter;         // of a sample inside the pixel
uniform float flip;
in vec3 position;
in vec3 normal;
in vec4 paint;               // colour, glow
in vec3 spot;                // texture place and layer; layer < 0: none
out vec3 at;
out vec3 across;
out vec4 tint;
out vec3 cloth;
void main() {
    at = position;
    across = normal;
    tint = paint;
    cloth = spot;
    gl_Position = camera * vec4(position.xy, position.z * flip, 1.0);
    gl_Position.xy += jitter * gl_Position.w;
}
