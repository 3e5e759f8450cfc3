uniform mat4 camera;
in vec2 corner;
in vec2 spot;
uniform vec3 middle;
uniform vec3 right;
uniform vec3 up;
out vec2 uv;
void main() {
    uv = spot;
    gl_Position = camera * vec4(middle + corner.x * right + corner.y * up, 1.0);
}
